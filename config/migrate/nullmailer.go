package migrate

import (
	"cmp"
	"path"
	"strings"
	"time"
)

// nullmailer reads /etc/nullmailer: remotes, nullmailer-send(8), and the files beside
// it that hold one value each.
func (r *reader) nullmailer(text []byte) {
	for n, line := range lines(text) {
		r.remote(n, line)
	}
	hello := func(v setting) { r.hello(v, v.value) }
	r.value("helohost", hello)
	if r.out.Hostname != "" {
		hello = func(v setting) { r.skip(v, "helohost goes first") }
	}
	r.value("me", hello)
	r.value("allmailfrom", func(v setting) {
		if !strings.Contains(v.value, "@") {
			v.value += "@" + r.defaultHost()
		}
		if !oneAddress(v.value) {
			r.skip(v, "it is not an address: set [site] address, and rewrite_from = true")
			return
		}
		r.out.Address, r.out.Rewrite = v.value, true
		r.became(v, "[site] address = %q, rewrite_from = true: the From too, with its own in Reply-To", v.value)
	})
	r.value("adminaddr", r.admin)
	admin := r.admin
	if r.out.Admin != "" {
		admin = func(v setting) {
			r.skip(v, "adminaddr goes first: [site] admin gets copies of what can be neither delivered nor returned")
		}
	}
	r.value("doublebounceto", admin)
	r.value("queuelifetime", func(v setting) {
		r.seconds(v, 365*24*time.Hour, &r.out.GiveUp, "[retry] give_up", "it is not a number of seconds")
	})
	for _, name := range []string{"defaulthost", "defaultdomain", "idhost", "pausetime", "maxpause", "sendtimeout"} {
		r.value(name, func(v setting) { r.skip(v, reasonFor(name)) })
	}
}

// defaultHost is the domain that nullmailer gives to an address without one.
func (r *reader) defaultHost() string {
	host := cmp.Or(r.oneLine("defaulthost"), r.oneLine("me"))
	if domain := r.oneLine("defaultdomain"); domain != "" && host != "" && !strings.Contains(host, ".") {
		host += "." + domain
	}
	return host
}

// oneLine is the first line of a file in the folder; "" if it has none.
func (r *reader) oneLine(name string) string {
	text, _ := r.readFile(path.Join(r.dir, name))
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first)
}

// value takes over a file of one line, if it exists.
func (r *reader) value(name string, take func(setting)) {
	first := r.oneLine(name)
	if file, _, ok := r.other(setting{}, name); ok && first != "" {
		r.within(file, func() { take(setting{line: 1, key: name, value: first, what: first}) })
	}
}

// remote reads a line: host, protocol, options with or without --.
func (r *reader) remote(n int, line string) {
	words, ok := shellWords(line)
	if !ok || len(words) == 0 {
		r.skip(setting{line: n, what: "the line"}, "its quotes do not match")
		return
	}
	s := Server{Host: words[0], NonSecureLogin: true} // it logs in over what it has
	if len(words) > 1 && words[1] != "smtp" {
		r.skip(setting{line: n, what: words[0] + " " + words[1]}, "notices speaks SMTP alone")
		return
	}
	r.became(setting{line: n, what: words[0]}, "[[server]] %d host = %q", len(r.out.Servers)+1, s.Host)
	for _, w := range words[min(2, len(words)):] {
		w = strings.TrimPrefix(w, "--")
		key, value, _ := strings.Cut(w, "=")
		r.remoteOption(setting{n, key, value, w}, &s)
	}
	r.add(n, s)
}

func (r *reader) remoteOption(v setting, s *Server) {
	switch v.key {
	case "port":
		r.port(v, v.value, s)
	case "user":
		r.login(v, s)
	case "pass":
		v.what = "pass=" + hidden
		r.password(v, s)
	case "tls", "ssl":
		s.TLS = "implicit"
		r.became(v, "%s", tlsText(s.TLS))
	case "starttls":
		s.TLS = "starttls"
		r.became(v, "%s", tlsText(s.TLS))
	case "insecure":
		s.Unverified = true // security tells
	case "x509cafile":
		r.authority(v, s)
	case "auth-login":
		r.skip(v, findsOut)
	default:
		r.unknown(v.bare(), noSuchSetting)
	}
}

// shellWords splits a line by the quoting rules of the shell. It is false when a quote
// is not closed.
func shellWords(line string) (words []string, ok bool) {
	var word []byte // nil between words
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		if quote == 0 && (c == ' ' || c == '\t') {
			if word != nil {
				words, word = append(words, string(word)), nil
			}
			continue
		}
		if word == nil {
			word = []byte{}
		}
		switch {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '\\' && quote != '\'' && i+1 < len(line) && (quote == 0 || strings.IndexByte("\"\\$`", line[i+1]) >= 0):
			i++
			word = append(word, line[i])
		default:
			word = append(word, c)
		}
	}
	if word != nil {
		words = append(words, string(word))
	}
	return words, quote == 0
}
