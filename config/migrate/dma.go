package migrate

import "strings"

// dma reads dma.conf and the file of passwords that it names, dma(8). A word
// alone means yes.
func (r *reader) dma(text []byte) {
	p := &account{}
	for n, line := range lines(text) {
		key, value := cutWord(line)
		p.put(setting{n, key, value, strings.TrimSpace(key + " " + value)})
	}
	has := func(key string) bool { return p.get(key).line > 0 }
	hub := p.get("SMARTHOST")
	s := Server{Host: hub.value, NonSecureLogin: has("INSECURE")} // without it dma shows no password
	switch {
	case has("STARTTLS"):
		s.TLS, s.NonSecure = "starttls", has("OPPORTUNISTIC_TLS")
	case has("SECURETRANSFER"), has("SECURETRANS"):
		s.TLS = "implicit"
	}
	for _, v := range p.set {
		r.dmaSetting(v, &s)
	}
	if s.Host == "" {
		r.noServer = ": SMARTHOST is not set; notices sends through a server, never to the recipients' own"
		return
	}
	if s.Port == 0 {
		r.noPort(hub.line, &s)
	}
	if auth := p.get("AUTHPATH"); auth.line > 0 {
		r.dmaLogin(auth.bare(), &s)
	}
	r.add(hub.line, s)
	if has("INSECURE") && !r.out.Servers[0].NonSecureLogin {
		r.skip(p.get("INSECURE").bare(), "no password went in clear")
	}
}

func (r *reader) dmaSetting(v setting, s *Server) {
	switch v.key {
	case "SMARTHOST":
		r.became(v, "[[server]] 1 host = %q", v.value)
	case "PORT":
		r.port(v, v.value, s)
	case "SECURETRANSFER", "SECURETRANS":
		r.became(v, "TLS")
	case "STARTTLS":
		r.became(v, "STARTTLS")
	case "AUTHPATH", "INSECURE", "OPPORTUNISTIC_TLS": // told with the login, and by security
	case "MAILNAME":
		r.mailname(v)
	case "MASQUERADE":
		if r.sender(v, v.value) {
			r.rewrite("dma replaced the envelope sender by it; notices the From too, with its own in Reply-To")
		}
	case "FINGERPRINT":
		r.fingerprint(v, s)
	default:
		r.unknown(v.bare(), noSuchSetting)
	}
}

// mailname is a name, or the file that holds it.
func (r *reader) mailname(v setting) {
	if !strings.HasPrefix(v.value, "/") {
		r.hello(v, v.value)
	} else if _, text, ok := r.other(v, v.value); ok {
		first, _, _ := strings.Cut(string(text), "\n")
		r.hello(v, strings.TrimSpace(first))
	}
}

// dmaLogin looks up the smarthost in lines of the form user|host:password.
func (r *reader) dmaLogin(auth setting, s *Server) {
	file, text, ok := r.other(auth, auth.value)
	if !ok {
		return
	}
	r.within(file, func() {
		for n, line := range lines(text) {
			user, rest, ok := strings.Cut(line, "|")
			host, password, ok2 := strings.Cut(rest, ":")
			v := setting{line: n, what: user + "|" + host}
			switch {
			case !ok || !ok2:
				v.what = "the line"
				r.skip(v, "it is not of the form user|host:password")
			case host != s.Host:
				r.skip(v, "it is for another server")
			case s.Login != "":
				r.skip(v, "there is a login for that server already")
			default:
				s.Login, s.Password = user, password
				v.what += ":" + hidden
				r.became(v, "login = %q, password_file", user)
			}
		}
	})
	if s.Login == "" {
		r.skip(auth, "it has no password for "+s.Host)
	}
}
