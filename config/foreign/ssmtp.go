package foreign

import (
	"strings"
)

// ssmtp reads ssmtp.conf, ssmtp.conf(5): KEY=VALUE, keys in any case. What stands
// behind a # is a comment wherever it stands, as ssmtp has it, so that a password
// with a # in it never worked.
func (r *reader) ssmtp(text []byte) {
	s := Server{ClearLogin: true}
	hub := 0
	var tls []setting
	lines(text, func(n int, line string) {
		line, comment, cut := strings.Cut(line, "#")
		key, value, ok := ssmtpLine(line)
		if !ok {
			return
		}
		what := key + "=" + value
		switch strings.ToLower(key) {
		case "mailhub":
			hub = n
			r.mailhub(n, &s, what, value)
		case "root":
			r.sender(n, what, value)
		case "hostname":
			r.ehlo(n, what, value)
		case "usetls", "usestarttls":
			tls = append(tls, setting{n, key, value})
		case "authuser":
			s.Login = value
			r.took(n, what, "login = %q", value)
		case "authpass":
			s.Password = value
			r.took(n, key+"="+hidden, "password_file")
			if cut && comment != "" {
				r.because("without what stands behind the #, as ssmtp reads it")
			}
		case "tls_ca_file":
			r.authority(n, &s, what, value)
		case "authmethod":
			s.ClearLogin = !strings.EqualFold(value, "cram-md5")
			r.left(n, what, "notices finds out by itself how to log in")
		case "fromlineoverride":
			r.left(n, what, "mail keeps its own From, unless [site] rewrite_from is true")
		default:
			r.left(n, key, "notices has no such setting")
		}
	})
	if s.Host == "" {
		r.nothing = ": mailhub is not set"
		return
	}
	r.ssmtpTLS(&s, tls)
	if s.Port == 0 {
		s.Port = 25
		r.took(hub, "no port", "port = 25")
		r.because("ssmtp's default")
	}
	r.lax(hub, &s)
	r.out.Servers = append(r.out.Servers, s)
}

// ssmtpTLS: UseTLS alone is TLS from the first octet; UseSTARTTLS includes it.
func (r *reader) ssmtpTLS(s *Server, tls []setting) {
	for _, v := range tls {
		switch yes := strings.EqualFold(v.value, "yes") || strings.EqualFold(v.value, "on"); {
		case yes && strings.EqualFold(v.key, "usestarttls"):
			s.TLS = "starttls"
		case yes && s.TLS == "":
			s.TLS = "implicit"
		}
	}
	for _, v := range tls {
		r.took(v.line, v.key+"="+v.value, "%s", tlsWord(s.TLS))
	}
}

// ssmtpLine splits at the first =, or at the first blank where there is none.
func ssmtpLine(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "= \t")
	if i <= 0 {
		return "", "", false
	}
	value = strings.TrimSpace(line[i:])
	return line[:i], strings.TrimSpace(strings.TrimPrefix(value, "=")), true
}

// mailhub is HOST, HOST:PORT or HOST PORT.
func (r *reader) mailhub(n int, s *Server, what, value string) {
	i := strings.LastIndexAny(value, ": \t")
	if i < 0 || strings.Count(value, ":") > 1 { // an IPv6 address
		i = len(value)
	}
	s.Host = strings.TrimSpace(value[:i])
	r.took(n, what, "[[server]] 1 host = %q", s.Host)
	if i < len(value) {
		r.port(n, s, what, strings.TrimSpace(value[i+1:]))
	}
}
