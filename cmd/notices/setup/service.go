package setup

import (
	"cmp"
	"errors"
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
	v.user = s.Ask("The name of your site there", v.user, given("site"))
	if key := s.Secret("Its key (it is not shown; Enter: later)"); key != "" {
		v.password = key
	}
}

// putService: all mail goes by the service. secret: the key is written, too.
func (v *answers) putService(d *draft, secret bool) {
	d.put("delivery", "via", config.ViaService)
	d.put("service", "host", v.host)
	d.put("service", "port", v.port)
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
