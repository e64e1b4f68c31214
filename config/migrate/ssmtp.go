package migrate

import "strings"

// ssmtp reads ssmtp.conf, ssmtp.conf(5), and revaliases.
type ssmtp struct {
	r        *reader
	server   Server
	hub      int       // the line of mailhub
	override bool      // FromLineOverride is there
	tls      []setting // UseTLS, UseSTARTTLS
}

// readSSMTP reads KEY=VALUE, keys in any case. A # begins a comment anywhere, as in ssmtp,
// where a password with a # in it never worked.
func readSSMTP(r *reader, text []byte) {
	s := &ssmtp{r: r, server: Server{NonSecureLogin: true}}
	for n, line := range lines(text) {
		line, comment, _ := strings.Cut(line, "#")
		if key, value, ok := cutEquals(line); ok {
			s.setting(setting{n, strings.ToLower(key), value, key + "=" + value}, key, comment)
		}
	}
	if s.server.Host == "" {
		r.noServer = ": mailhub is not set"
		return
	}
	if !s.override {
		s.fromLine(setting{line: s.hub, what: "no FromLineOverride"})
	}
	s.reverseAliases()
	s.decideTLS()
	r.defaultPort(s.hub, &s.server) // with TLS, too
	r.add(s.hub, s.server)
}

// setting reads one setting; key is how the file spells its key.
func (s *ssmtp) setting(v setting, key, comment string) {
	switch r := s.r; v.key {
	case "mailhub":
		s.mailhub(v)
	case "root":
		r.admin(v)
	case "hostname":
		r.hello(v, v.value)
	case "usetls", "usestarttls":
		s.tls = append(s.tls, v)
	case "authuser":
		r.login(v, &s.server)
	case "authpass":
		v.what = key + "=" + hidden
		if r.password(v, &s.server); comment != "" {
			r.explain("without what stands behind the #, as ssmtp reads it")
		}
	case "tls_ca_file":
		r.authority(v, &s.server)
	case "authmethod":
		s.server.NonSecureLogin = !strings.EqualFold(v.value, "cram-md5")
		r.skip(v, findsOut)
	case "fromlineoverride":
		s.override = true
		s.fromLine(v)
	default:
		r.unknown(v, noSuchSetting)
	}
}

// fromLine notes that ssmtp writes the From itself without FromLineOverride.
func (s *ssmtp) fromLine(v setting) {
	if isYes(v.value) {
		s.r.became(v, "mail keeps its own From")
		return
	}
	s.r.skip(v, "ssmtp wrote USER@HOST into the From; notices keeps what a message has, and adds [site] address to one that has none: "+
		"set [site] rewrite_from = true if the server accepts no other sender")
}

// reverseAliases notes the file revaliases, which has a sender for each user.
func (s *ssmtp) reverseAliases() {
	s.r.within(setting{}, "revaliases", func(text []byte) {
		for n, line := range lines(text) {
			s.r.skip(setting{line: n, what: line}, "notices has one sender for all users: [site] address; with senders in a [[server]] an address has a server of its own")
		}
	})
}

func isYes(v string) bool { return strings.EqualFold(v, "yes") || strings.EqualFold(v, "on") }

// decideTLS reads UseTLS, which alone is TLS from the first octet, and UseSTARTTLS.
func (s *ssmtp) decideTLS() {
	for _, v := range s.tls {
		switch yes := isYes(v.value); {
		case yes && v.key == "usestarttls":
			s.server.TLS = "starttls"
		case yes && s.server.TLS == "":
			s.server.TLS = "implicit"
		}
	}
	for _, v := range s.tls {
		s.r.became(v, "%s", tlsText(s.server.TLS))
	}
}

// cutEquals splits at the first =, or, without one, at the first blank.
func cutEquals(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "= \t")
	if i <= 0 {
		return "", "", false
	}
	value = strings.TrimSpace(line[i:])
	return line[:i], strings.TrimSpace(strings.TrimPrefix(value, "=")), true
}

// mailhub is HOST, HOST:PORT or HOST PORT.
func (s *ssmtp) mailhub(v setting) {
	s.hub = v.line
	i := strings.LastIndexAny(v.value, ": \t")
	if i < 0 || strings.Count(v.value, ":") > 1 { // an IPv6 address
		i = len(v.value)
	}
	s.server.Host = strings.TrimSpace(v.value[:i])
	s.r.became(v, "[[server]] 1 host = %q", s.server.Host)
	if i < len(v.value) {
		s.r.port(v, strings.TrimSpace(v.value[i+1:]), &s.server)
	}
}
