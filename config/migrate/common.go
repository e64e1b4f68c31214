package migrate

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file has what several programs share: files of settings, and settings.

// settings are those of a file, in its order.
type settings []setting

// get is the setting of that key; its line is 0 when it is not set.
func (l settings) get(key string) setting {
	for _, v := range slices.Backward(l) {
		if v.key == key {
			return v
		}
	}
	return setting{key: key}
}

// on reports whether a setting is on; normal, when it is not set.
func (l settings) on(key string, normal bool) bool {
	s := l.get(key)
	return s.line == 0 && normal || s.line > 0 && (s.value == "" || s.value == "on")
}

// put sets a key, and removes its old value.
func (l *settings) put(s setting) {
	*l = append(slices.DeleteFunc(*l, func(old setting) bool { return old.key == s.key }), s)
}

// wordSetting is a line of a key and a value.
func wordSetting(n int, line string) setting {
	key, value := cutWord(line)
	return setting{n, key, value, strings.TrimSpace(key + " " + value)}
}

// firstLine is a text's first line without the spaces around it.
func firstLine(text []byte) string {
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first)
}

// add adds a server that the line names.
func (r *reader) add(line int, s Server) {
	if s.Port == 0 && s.TLS == "implicit" {
		s.Port = 465
	}
	r.defaultPort(line, &s)
	r.security(line, &s)
	r.out.Servers = append(r.out.Servers, s)
}

// defaultPort sets the port that is taken if none is set.
func (r *reader) defaultPort(line int, s *Server) {
	if s.Port == 0 {
		s.Port = 25
		r.became(setting{line: line, what: "no port"}, "port = 25")
		r.explain(r.out.Program + "'s default")
	}
}

// port takes over a port, by number or name.
func (r *reader) port(v setting, value string, s *Server) {
	port, ok := map[string]int{"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465}[value]
	if p, err := strconv.Atoi(value); err == nil && p > 0 && p < 65536 {
		port, ok = p, true
	}
	if !ok {
		r.skip(v, "it is not a port")
		return
	}
	s.Port = port
	r.became(v, "port = %d", port)
}

// login takes over a user name.
func (r *reader) login(v setting, s *Server) {
	s.Login = v.value
	r.became(v, "login = %q", v.value)
}

// password takes over a password, which v.what hides.
func (r *reader) password(v setting, s *Server) {
	s.Password = v.value
	r.became(v, "password_file")
}

// authority takes over a file of certificates.
func (r *reader) authority(v setting, s *Server) {
	switch v.value {
	case "system", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem":
		r.skip(v, "notices uses the system's certificates by default")
		return
	}
	s.CAFile = v.value
	r.became(v, "ca_file = %q", v.value)
}

// fingerprint takes over the hash of a certificate, if it is a SHA-256.
func (r *reader) fingerprint(v setting, s *Server) {
	digits := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(v.value))
	if _, err := hex.DecodeString(digits); err != nil || len(digits) != 64 {
		r.skip(v, "it is not a SHA-256 hash in hexadecimal digits, the only kind that notices accepts: set tls_fingerprint, or ca_file if its CA is not among the system's")
		return
	}
	s.Fingerprint = "sha256:" + digits
	r.became(v, "tls_fingerprint = %q", s.Fingerprint)
}

// security notes what becomes of a server without TLS, or whose certificate was not
// verified. A password that never went in clear does not do so here either.
func (r *reader) security(line int, s *Server) {
	s.NonSecure = s.NonSecure || s.TLS == ""
	s.NonSecureLogin = s.NonSecureLogin && s.NonSecure && s.Login != ""
	if !s.NonSecure {
		if s.Unverified {
			r.skip(setting{line: line, what: "no certificate check"}, "notices verifies the certificate; if notices test-server reports an error in it, name its CA in ca_file, "+
				"or as a last resort, on a network that you trust, set allow_non_secure and, for a login, allow_non_secure_login")
		}
		return
	}
	what, why := "TLS only if it is offered", "notices tries verified TLS first; remove this if that works"
	if s.TLS == "" {
		what, why = "no TLS", "notices tries TLS first; remove this if the server offers it"
	}
	became := "allow_non_secure = true"
	if s.NonSecureLogin {
		became += ", allow_non_secure_login = true"
	} else if s.Login != "" {
		why += "; the password is sent only over verified TLS, as it was never sent in clear before"
	}
	r.became(setting{line: line, what: what}, "%s", became)
	r.explain(why)
}

// tlsText is what a TLS setting means.
func tlsText(tls string) string {
	return map[string]string{"implicit": "TLS from the first octet", "starttls": "STARTTLS", "": "no TLS"}[tls]
}

// sender takes over an address as the site's, and reports whether it is one.
func (r *reader) sender(v setting, address string) bool {
	if !oneAddress(address) {
		r.skip(v, "it is not a single address: set [site] address")
		return false
	}
	r.out.Address = address
	r.became(v, "[site] address = %q", address)
	return true
}

// rewrite has every mail go out from the site's address: the last note says so.
func (r *reader) rewrite(why string) {
	r.out.Rewrite = true
	r.out.Notes[len(r.out.Notes)-1].Became += " rewrite_from = true"
	r.explain(why)
}

// admin takes over the address that mail for the machine's own users went to. If the site's
// address is unknown, it is that too.
func (r *reader) admin(v setting) {
	if !oneAddress(v.value) || r.out.Admin != "" {
		r.skip(v, "it is not a single address: set [site] admin")
		return
	}
	r.out.Admin = v.value
	r.became(v, "[site] admin = %q", v.value)
	if r.out.Address == "" {
		r.out.Address = v.value
		r.out.Notes[len(r.out.Notes)-1].Became += ", and address: sender of mail that names none"
	}
}

// oneAddress is a rough check; config.Check decides.
func oneAddress(v string) bool {
	return strings.Count(v, "@") == 1 && !strings.ContainsAny(v, "%*, ") && !strings.HasPrefix(v, "@") && !strings.HasSuffix(v, "@")
}

// hello takes over the name by which the machine greets servers.
func (r *reader) hello(v setting, name string) {
	if strings.ContainsAny(name, "%$") || name == "" || name == "localhost" {
		r.skip(v, "notices takes the machine's name unless [site] hostname is set")
		return
	}
	name = strings.TrimSuffix(name, ".")
	if !strings.Contains(name, ".") && !strings.HasPrefix(name, "[") { // neither a full name nor an address
		r.skip(v, "it is not a full name, and some servers reject a machine with such a name: "+
			"notices takes the machine's own unless [site] hostname is set")
		return
	}
	r.out.Hostname = name
	r.became(v, "[site] hostname = %q", name)
}

// seconds takes over a number of seconds.
func (r *reader) seconds(v setting, most time.Duration, to *time.Duration, became, otherwise string) {
	n, err := strconv.Atoi(v.value)
	if err != nil || n < 1 || n > int(most/time.Second) {
		r.skip(v, otherwise)
		return
	}
	*to = time.Duration(n) * time.Second
	r.became(v, "%s = %q", became, Duration(*to))
}
