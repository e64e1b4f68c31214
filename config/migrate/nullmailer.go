package migrate

import (
	"cmp"
	"path"
	"strings"
	"time"
)

// nullmailer reads /etc/nullmailer: remotes, nullmailer-send(8), and the files beside
// it that hold one value each.
func nullmailer(r *reader, text []byte) {
	for n, line := range lines(text) {
		remote(r, n, line)
	}
	hello := func(v setting) { r.hello(v, v.value) }
	oneValue(r, "helohost", hello)
	if r.out.Hostname != "" {
		hello = func(v setting) { r.skip(v, "helohost goes first") }
	}
	oneValue(r, "me", hello)
	oneValue(r, "allmailfrom", func(v setting) {
		if !strings.Contains(v.value, "@") {
			v.value += "@" + defaultHost(r)
		}
		if !oneAddress(v.value) {
			r.skip(v, "it is not an address: set [site] address, and rewrite_from = true")
			return
		}
		r.out.Address, r.out.Rewrite = v.value, true
		r.became(v, "[site] address = %q, rewrite_from = true: the From too, with its own in Reply-To", v.value)
	})
	oneValue(r, "adminaddr", r.admin)
	admin := r.admin
	if r.out.Admin != "" {
		admin = func(v setting) {
			r.skip(v, "adminaddr goes first: [site] admin gets copies of what can be neither delivered nor returned")
		}
	}
	oneValue(r, "doublebounceto", admin)
	oneValue(r, "queuelifetime", func(v setting) {
		r.seconds(v, 365*24*time.Hour, &r.out.GiveUp, "[retry] give_up", "it is not a number of seconds")
	})
	for _, name := range []string{"defaulthost", "defaultdomain", "idhost", "pausetime", "maxpause", "sendtimeout"} {
		oneValue(r, name, func(v setting) { r.skip(v, reasonFor(name)) })
	}
}

// defaultHost is the domain that nullmailer gives to an address without one.
func defaultHost(r *reader) string {
	oneLine := func(name string) string {
		text, _ := r.readFile(path.Join(r.dir, name))
		return firstLine(text)
	}
	host := cmp.Or(oneLine("defaulthost"), oneLine("me"))
	if domain := oneLine("defaultdomain"); domain != "" && host != "" && !strings.Contains(host, ".") {
		host += "." + domain
	}
	return host
}

// oneValue takes over a file of one line, if it exists.
func oneValue(r *reader, name string, take func(setting)) {
	r.within(setting{}, name, func(text []byte) {
		if first := firstLine(text); first != "" {
			take(setting{line: 1, key: name, value: first, what: first})
		}
	})
}

// remote reads a line: host, protocol, options with or without --.
func remote(r *reader, n int, line string) {
	words, ok := shellWords(line)
	if !ok || len(words) == 0 {
		r.skip(setting{line: n, what: "the line"}, "its quotes do not match")
		return
	}
	s := Server{Host: words[0], NonSecureLogin: true} // it logs in over what it has
	if len(words) > 1 && words[1] != "smtp" {
		r.skip(setting{line: n, what: words[0] + " " + words[1]}, "notices speaks only SMTP")
		return
	}
	r.became(setting{line: n, what: words[0]}, "[[server]] %d host = %q", len(r.out.Servers)+1, s.Host)
	for _, w := range words[min(2, len(words)):] {
		w = strings.TrimPrefix(w, "--")
		key, value, _ := strings.Cut(w, "=")
		remoteOption(r, setting{n, key, value, w}, &s)
	}
	r.add(n, s)
}

func remoteOption(r *reader, v setting, s *Server) {
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
