package migrate

import (
	"strings"
)

// dma reads dma.conf and the file of passwords that it names, dma(8). A word that
// stands alone is a yes.
func (r *reader) dma(text []byte) {
	s := Server{Port: 25}
	hub, secure, startTLS, whereOffered, port := 0, false, false, false, false
	auth, insecure := setting{}, setting{}
	lines(text, func(n int, line string) {
		key, value := msmtpLine(line)
		what := strings.TrimSpace(key + " " + value)
		switch key {
		case "SMARTHOST":
			hub, s.Host = n, value
			r.took(n, what, "[[server]] 1 host = %q", value)
		case "PORT":
			port = true
			r.port(n, &s, what, value)
		case "AUTHPATH":
			auth = setting{n, what, value}
		case "SECURETRANSFER", "SECURETRANS":
			secure = true
			r.took(n, what, "TLS")
		case "STARTTLS":
			startTLS = true
			r.took(n, what, "STARTTLS")
		case "OPPORTUNISTIC_TLS":
			whereOffered = true // lax tells
		case "MAILNAME":
			r.mailname(n, what, value)
		case "MASQUERADE":
			if r.sender(n, what, value); r.out.Address == value {
				r.rewrite("dma replaced the envelope sender by it; notices the From too, with its own in Reply-To")
			}
		case "FINGERPRINT":
			r.fingerprint(n, &s, what, value)
		case "INSECURE":
			s.ClearLogin, insecure = true, setting{line: n, key: what} // without it dma shows no password
		default:
			r.unknown(n, key, key, "notices has no such setting")
		}
	})
	if s.Host == "" {
		r.nothing = ": SMARTHOST is not set; notices sends through a server, never to the recipients' own"
		return
	}
	switch {
	case startTLS:
		s.TLS, s.Lax = "starttls", whereOffered
	case secure:
		s.TLS = "implicit"
	}
	if !port {
		r.took(hub, "no PORT", "port = 25")
		r.because("dma's default")
	}
	if auth.line > 0 {
		r.dmaLogin(auth, &s)
	}
	r.lax(hub, &s)
	if insecure.line > 0 && !s.ClearLogin {
		r.left(insecure.line, insecure.key, "no password went in clear")
	}
	r.out.Servers = append(r.out.Servers, s)
}

// mailname is a name, or the file that holds it.
func (r *reader) mailname(n int, what, value string) {
	if !strings.HasPrefix(value, "/") {
		r.ehlo(n, what, value)
		return
	}
	if _, text, ok := r.beside(n, what, value); ok {
		first, _, _ := strings.Cut(string(text), "\n")
		r.ehlo(n, what, strings.TrimSpace(first))
	}
}

// dmaLogin looks the smarthost up: user|host:password.
func (r *reader) dmaLogin(auth setting, s *Server) {
	file, text, ok := r.beside(auth.line, auth.key, auth.value)
	if !ok {
		return
	}
	r.within(file, func() {
		lines(text, func(n int, line string) {
			user, rest, ok := strings.Cut(line, "|")
			host, password, ok2 := strings.Cut(rest, ":")
			switch {
			case !ok || !ok2:
				r.left(n, "the line", "it is not of the form user|host:password")
			case host != s.Host:
				r.left(n, user+"|"+host, "it is for another server")
			case s.Login != "":
				r.left(n, user+"|"+host, "there is a login for that server already")
			default:
				s.Login, s.Password = user, password
				r.took(n, user+"|"+host+":"+hidden, "login = %q, password_file", user)
			}
		})
	})
	if s.Login == "" {
		r.left(auth.line, auth.key, "it has no password for "+s.Host)
	}
}
