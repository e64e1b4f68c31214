package migrate

import "strings"

// ssmtp reads ssmtp.conf, ssmtp.conf(5): KEY=VALUE, keys in any case. A # begins a comment
// anywhere, as in ssmtp, where a password with a # in it never worked.
func (r *reader) ssmtp(text []byte) {
	s := Server{NonSecureLogin: true}
	hub, override := 0, 0
	var tls []setting
	for n, line := range lines(text) {
		line, comment, _ := strings.Cut(line, "#")
		key, value, ok := cutEquals(line)
		if !ok {
			continue
		}
		v := setting{n, strings.ToLower(key), value, key + "=" + value}
		switch v.key {
		case "mailhub":
			hub = n
			r.mailhub(v, &s)
		case "root":
			r.admin(v)
		case "hostname":
			r.hello(v, value)
		case "usetls", "usestarttls":
			tls = append(tls, v)
		case "authuser":
			r.login(v, &s)
		case "authpass":
			v.what = key + "=" + hidden
			if r.password(v, &s); comment != "" {
				r.explain("without what stands behind the #, as ssmtp reads it")
			}
		case "tls_ca_file":
			r.authority(v, &s)
		case "authmethod":
			s.NonSecureLogin = !strings.EqualFold(value, "cram-md5")
			r.skip(v, findsOut)
		case "fromlineoverride":
			override = n
			r.fromLine(v, isYes(value))
		default:
			r.unknown(v, noSuchSetting)
		}
	}
	if s.Host == "" {
		r.noServer = ": mailhub is not set"
		return
	}
	if override == 0 {
		r.fromLine(setting{line: hub, what: "no FromLineOverride"}, false)
	}
	r.reverseAliases()
	r.ssmtpTLS(&s, tls)
	if s.Port == 0 {
		r.noPort(hub, &s)
	}
	r.add(hub, s)
}

// fromLine notes that ssmtp writes the From itself without FromLineOverride.
func (r *reader) fromLine(v setting, override bool) {
	if override {
		r.became(v, "mail keeps its own From")
		return
	}
	r.skip(v, "ssmtp wrote USER@HOST into the From; notices keeps what a mail has, and adds [site] address to one that has none: "+
		"set [site] rewrite_from = true if the server takes no other sender")
}

// reverseAliases notes the file revaliases, which has a sender for each user.
func (r *reader) reverseAliases() {
	file, text, ok := r.other(setting{}, "revaliases")
	if !ok {
		return
	}
	r.within(file, func() {
		for n, line := range lines(text) {
			r.skip(setting{line: n, what: line}, "notices has one sender for all users: [site] address; with senders in a [[server]] an address has a server of its own")
		}
	})
}

func isYes(v string) bool { return strings.EqualFold(v, "yes") || strings.EqualFold(v, "on") }

// ssmtpTLS reads UseTLS, which alone is TLS from the first octet, and UseSTARTTLS.
func (r *reader) ssmtpTLS(s *Server, tls []setting) {
	for _, v := range tls {
		switch yes := isYes(v.value); {
		case yes && v.key == "usestarttls":
			s.TLS = "starttls"
		case yes && s.TLS == "":
			s.TLS = "implicit"
		}
	}
	for _, v := range tls {
		r.became(v, "%s", tlsText(s.TLS))
	}
}

// cutEquals splits at the first =, or at the first blank where there is none.
func cutEquals(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "= \t")
	if i <= 0 {
		return "", "", false
	}
	value = strings.TrimSpace(line[i:])
	return line[:i], strings.TrimSpace(strings.TrimPrefix(value, "=")), true
}

// mailhub is HOST, HOST:PORT or HOST PORT.
func (r *reader) mailhub(v setting, s *Server) {
	i := strings.LastIndexAny(v.value, ": \t")
	if i < 0 || strings.Count(v.value, ":") > 1 { // an IPv6 address
		i = len(v.value)
	}
	s.Host = strings.TrimSpace(v.value[:i])
	r.became(v, "[[server]] 1 host = %q", s.Host)
	if i < len(v.value) {
		r.port(v, strings.TrimSpace(v.value[i+1:]), s)
	}
}
