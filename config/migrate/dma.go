package migrate

import "strings"

// dma reads dma.conf and the file of passwords that it names, dma(8).
type dma struct {
	r      *reader
	set    settings // of dma.conf
	server Server
}

// readDMA reads dma.conf. A word alone means yes.
func readDMA(r *reader, text []byte) {
	d := &dma{r: r}
	for n, line := range lines(text) {
		d.set.put(wordSetting(n, line))
	}
	hub, insecure := d.set.get("SMARTHOST"), d.has("INSECURE")
	d.server = Server{Host: hub.value, NonSecureLogin: insecure} // without it dma shows no password
	switch {
	case d.has("STARTTLS"):
		d.server.TLS, d.server.NonSecure = "starttls", d.has("OPPORTUNISTIC_TLS")
	case d.has("SECURETRANSFER"), d.has("SECURETRANS"):
		d.server.TLS = "implicit"
	}
	for _, v := range d.set {
		d.setting(v)
	}
	if hub.value == "" {
		r.noServer = ": SMARTHOST is not set; notices sends through a server, never to the recipients' own"
		return
	}
	r.defaultPort(hub.line, &d.server) // with TLS, too
	if auth := d.set.get("AUTHPATH"); auth.line > 0 {
		d.login(auth.bare())
	}
	r.add(hub.line, d.server)
	if insecure && !r.out.Servers[0].NonSecureLogin {
		r.skip(d.set.get("INSECURE").bare(), "no password went in clear")
	}
}

func (d *dma) has(key string) bool { return d.set.get(key).line > 0 }

func (d *dma) setting(v setting) {
	switch r := d.r; v.key {
	case "SMARTHOST":
		r.became(v, "[[server]] 1 host = %q", v.value)
	case "PORT":
		r.port(v, v.value, &d.server)
	case "SECURETRANSFER", "SECURETRANS":
		r.became(v, "TLS")
	case "STARTTLS":
		r.became(v, "STARTTLS")
	case "AUTHPATH", "INSECURE", "OPPORTUNISTIC_TLS": // told with the login, and by security
	case "MAILNAME": // a name, or the file that holds it
		if !strings.HasPrefix(v.value, "/") {
			r.hello(v, v.value)
		} else if _, text, ok := r.other(v, v.value); ok {
			r.hello(v, firstLine(text))
		}
	case "MASQUERADE":
		if r.sender(v, v.value) {
			r.rewrite("dma replaced the envelope sender by it; notices the From too, with its own in Reply-To")
		}
	case "FINGERPRINT":
		r.fingerprint(v, &d.server)
	default:
		r.unknown(v.bare(), noSuchSetting)
	}
}

// login looks up the smarthost in lines of the form user|host:password.
func (d *dma) login(auth setting) {
	r, s := d.r, &d.server
	ok := r.within(auth, auth.value, func(text []byte) {
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
	if ok && s.Login == "" {
		r.skip(auth, "it has no password for "+s.Host)
	}
}
