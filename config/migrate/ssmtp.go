package migrate

import (
	"strings"
)

// ssmtp reads ssmtp.conf, ssmtp.conf(5): KEY=VALUE, keys in any case. What stands
// behind a # is a comment wherever it stands, as ssmtp has it, so that a password
// with a # in it never worked.
func (r *reader) ssmtp(text []byte) {
	s := Server{ClearLogin: true}
	hub, override := 0, 0
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
			r.ssmtpRoot(n, what, value)
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
			override = n
			r.fromLine(n, what, isYes(value))
		default:
			r.unknown(n, what, strings.ToLower(key), "notices has no such setting")
		}
	})
	if s.Host == "" {
		r.nothing = ": mailhub is not set"
		return
	}
	if override == 0 {
		r.fromLine(hub, "no FromLineOverride", false)
	}
	r.reverseAliases()
	r.ssmtpTLS(&s, tls)
	if s.Port == 0 {
		s.Port = 25
		r.took(hub, "no port", "port = 25")
		r.because("ssmtp's default")
	}
	r.lax(hub, &s)
	r.out.Servers = append(r.out.Servers, s)
}

// ssmtpRoot: who gets the mail for users below 1000.
func (r *reader) ssmtpRoot(n int, what, value string) {
	if became := r.admin(value); became != "" {
		r.took(n, what, "%s", became)
		return
	}
	r.left(n, what, "it is no single address: set [site] admin")
}

// fromLine: without FromLineOverride ssmtp writes the From itself.
func (r *reader) fromLine(n int, what string, override bool) {
	if override {
		r.took(n, what, "mail keeps its own From")
		return
	}
	r.left(n, what, "ssmtp wrote USER@HOST into the From; notices keeps what a mail has, and adds [site] address to one that has none: "+
		"set [site] rewrite_from = true if the server takes no other sender")
}

// reverseAliases: the file revaliases has a sender for each user.
func (r *reader) reverseAliases() {
	file, text, ok := r.beside(0, "", "revaliases")
	if !ok {
		return
	}
	r.within(file, func() {
		lines(text, func(n int, line string) {
			r.left(n, line, "notices has one sender for all users: [site] address; with senders in a [[server]] an address has a server of its own")
		})
	})
}

func isYes(v string) bool { return strings.EqualFold(v, "yes") || strings.EqualFold(v, "on") }

// ssmtpTLS: UseTLS alone is TLS from the first octet; UseSTARTTLS includes it.
func (r *reader) ssmtpTLS(s *Server, tls []setting) {
	for _, v := range tls {
		switch yes := isYes(v.value); {
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
