package setup

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"notices/config"
)

// usesService reports whether mail is to go out through a service, which needs no other server.
func (s *dialogue) usesService() bool {
	return slices.ContainsFunc(s.servers, func(v *answers) bool { return v.service })
}

// askService asks for what a service gives to its sites.
func (s *dialogue) askService(v *answers) {
	given := func(key string) func(string) error {
		return func(text string) error {
			if text == "" {
				return errors.New("is needed")
			}
			return config.Check(config.Setting{Section: "service", Key: key, Value: text})
		}
	}
	v.host = s.Ask("The name of the service", v.host, given("host"))
	s.Ask("Its port", strconv.Itoa(cmp.Or(v.port, 465)), func(text string) (err error) {
		if v.port, err = strconv.Atoi(text); err != nil {
			return errors.New("must be a whole number")
		}
		return config.Check(config.Setting{Section: "service", Key: "port", Value: v.port})
	})
	v.askServiceTLS(s)
	v.user = s.Ask("The name of your site there", v.user, given("site"))
	if key := s.Secret("Its key (it is not shown; Enter: later)"); key != "" {
		v.password = key
	}
}

// askServiceTLS asks how TLS begins, where that does not follow from the port.
func (v *answers) askServiceTLS(s *dialogue) {
	implicit := v.tls != config.StartTLS
	v.tls = ""
	switch {
	case v.port == 465 || v.port == 587:
	case s.Yes("Does TLS begin with the connection there (tls = \"implicit\")? (no: by STARTTLS)", implicit):
		v.tls = config.Implicit
	default:
		v.tls = config.StartTLS
	}
}

// askCAFile asks for the certificate of the server's own authority, or its own if it is self-signed.
func (s *dialogue) askCAFile(v *answers) {
	s.Ask("The file with its certificate, in PEM", v.caFile, func(text string) error {
		if text == "" {
			return errors.New("is needed")
		}
		path, err := filepath.Abs(text)
		if err != nil {
			return err
		}
		pem, err := os.ReadFile(path)
		switch {
		case err != nil:
			return fmt.Errorf("cannot be used: %w", err)
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			return errors.New("must have a certificate in PEM")
		}
		v.caFile = path
		return config.Check(config.Setting{Section: "service", Key: "ca_file", Value: path})
	})
}

// called is the server in a sentence.
func (v *answers) called(n int) string {
	if v.service {
		return "the service"
	}
	return fmt.Sprintf("server %d", n)
}

// tested is the server as an argument of test-server.
func (v *answers) tested(n int) string {
	if v.service {
		return config.ViaService
	}
	return strconv.Itoa(n)
}

// putService: all mail goes by the service. secret: the key is written, too.
func (v *answers) putService(d *draft, secret bool) {
	d.put("delivery", "via", config.ViaService)
	d.put("service", "host", v.host)
	d.put("service", "port", v.port)
	if v.tls != "" {
		d.put("service", "tls", v.tls)
	}
	if v.caFile != "" {
		d.put("service", "ca_file", v.caFile)
	}
	d.put("service", "site", v.user)
	if !secret {
		return
	}
	v.keyFile = d.unusedName("service.key")
	d.put("service", "key_file", v.keyFile)
	if v.password != "" {
		d.secrets = append(d.secrets, secretFile{0, v.keyFile, v.password})
	}
}
