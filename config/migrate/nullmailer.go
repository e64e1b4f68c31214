package migrate

import (
	"cmp"
	"path"
	"strconv"
	"strings"
	"time"
)

// nullmailer reads /etc/nullmailer: remotes, nullmailer-send(8), and the files beside
// it that hold one value each.
func (r *reader) nullmailer(text []byte) {
	lines(text, r.remote)
	r.value("helohost", noFullName, r.hostname)
	if r.out.Hostname == "" {
		r.value("me", noFullName, r.hostname)
	} else {
		r.value("me", "helohost goes first", r.hostname)
	}
	r.value("allmailfrom", "it is no address: set [site] address, and rewrite_from = true", func(v string) string {
		if !strings.Contains(v, "@") {
			v += "@" + r.defaultHost()
		}
		if !oneAddress(v) {
			return ""
		}
		r.out.Address, r.out.Rewrite = v, true
		return `[site] address = "` + v + `", rewrite_from = true: the From too, with its own in Reply-To`
	})
	r.value("adminaddr", "it is no single address: set [site] admin", r.admin)
	r.value("doublebounceto", "adminaddr goes first: [site] admin gets copies of what can be neither delivered nor returned", r.admin)
	r.value("queuelifetime", "it is no number of seconds", func(v string) string {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 || n > 365*24*3600 {
			return ""
		}
		r.out.GiveUp = time.Duration(n) * time.Second
		return `[retry] give_up = "` + Duration(r.out.GiveUp) + `"`
	})
	for _, name := range []string{"defaulthost", "defaultdomain", "idhost", "pausetime", "maxpause", "sendtimeout"} {
		r.value(name, reasons[name], func(string) string { return "" })
	}
}

// admin takes the address over that mail for the machine's own users went to. Where no
// other is known it is the site's, too.
func (r *reader) admin(v string) string {
	if !oneAddress(v) || r.out.Admin != "" {
		return ""
	}
	r.out.Admin = v
	if r.out.Address != "" {
		return `[site] admin = "` + v + `"`
	}
	r.out.Address = v
	return `[site] admin = "` + v + `", and address: sender of mail that names none`
}

// oneAddress is a rough look; Setting.Check has the last word.
func oneAddress(v string) bool {
	return strings.Count(v, "@") == 1 && !strings.ContainsAny(v, "%*, ") && !strings.HasPrefix(v, "@") && !strings.HasSuffix(v, "@")
}

// defaultHost is the domain that nullmailer gives to an address without one.
func (r *reader) defaultHost() string {
	host := cmp.Or(r.oneLine("defaulthost"), r.oneLine("me"))
	if domain := r.oneLine("defaultdomain"); domain != "" && host != "" && !strings.Contains(host, ".") {
		host += "." + domain
	}
	return host
}

// oneLine is the first line of a file beside; empty: it has none.
func (r *reader) oneLine(name string) string {
	text, err := r.read(path.Join(r.dir, name))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first)
}

// value takes a file of one line over, if it is there; take returns what it became, or
// nothing for the reason why.
func (r *reader) value(name, why string, take func(string) string) {
	file, _, ok := r.beside(0, "", name)
	first := r.oneLine(name)
	if !ok || first == "" {
		return
	}
	r.within(file, func() {
		if became := take(first); became != "" {
			r.took(1, first, "%s", became)
		} else {
			r.left(1, first, why)
		}
	})
}

func (r *reader) hostname(v string) string {
	if v = strings.TrimSuffix(v, "."); r.out.Hostname != "" || !isFull(v) {
		return ""
	}
	r.out.Hostname = v
	return `[site] hostname = "` + v + `"`
}

// remote reads a line: host, protocol, options with or without --.
func (r *reader) remote(n int, line string) {
	words, ok := shellWords(line)
	if !ok || len(words) == 0 {
		r.left(n, "the line", "its quotes do not match")
		return
	}
	s := Server{Host: words[0], ClearLogin: true} // it logs in over what it has
	if len(words) > 1 && words[1] != "smtp" {
		r.left(n, words[0]+" "+words[1], "notices speaks SMTP alone")
		return
	}
	at := len(r.out.Servers) + 1
	r.took(n, words[0], "[[server]] %d host = %q", at, s.Host)
	for _, w := range words[min(2, len(words)):] {
		r.remoteOption(n, &s, strings.TrimPrefix(w, "--"))
	}
	switch {
	case s.Port == 0 && s.TLS == "implicit":
		s.Port = 465
	case s.Port == 0:
		s.Port = 25
		r.took(n, "no port", "port = 25")
		r.because("nullmailer's default")
	}
	r.lax(n, &s)
	r.out.Servers = append(r.out.Servers, s)
}

func (r *reader) remoteOption(n int, s *Server, option string) {
	key, value, _ := strings.Cut(option, "=")
	switch key {
	case "port":
		r.port(n, s, option, value)
	case "user":
		s.Login = value
		r.took(n, option, "login = %q", value)
	case "pass":
		s.Password = value
		r.took(n, "pass="+hidden, "password_file")
	case "tls", "ssl":
		s.TLS = "implicit"
		r.took(n, option, "TLS from the first octet")
	case "starttls":
		s.TLS = "starttls"
		r.took(n, option, "STARTTLS")
	case "insecure":
		s.Unverified = true // lax tells
	case "x509cafile":
		r.authority(n, s, option, value)
	case "auth-login":
		r.left(n, option, "notices finds out by itself how to log in")
	default:
		r.unknown(n, key, key, "notices has no such setting")
	}
}

// port takes a number over.
func (r *reader) port(n int, s *Server, what, value string) {
	switch p, err := strconv.Atoi(value); {
	case err == nil && p > 0 && p < 65536:
		s.Port = p
		r.took(n, what, "port = %d", p)
	case value == "smtp":
		s.Port = 25
		r.took(n, what, "port = 25")
	case value == "submission":
		s.Port = 587
		r.took(n, what, "port = 587")
	case value == "smtps", value == "submissions":
		s.Port = 465
		r.took(n, what, "port = 465")
	default:
		r.left(n, what, "it is no port")
	}
}

// authority takes a file of certificates over.
func (r *reader) authority(n int, s *Server, what, file string) {
	if systemCAs(file) {
		r.left(n, what, "notices uses the system's certificates by itself")
		return
	}
	s.CAFile = file
	r.took(n, what, "ca_file = %q", file)
}

// lax notes what it means here how mail went to a server: without TLS, or without a look
// at its certificate. What never went in clear must not do so for a change of program.
func (r *reader) lax(n int, s *Server) {
	s.Lax = s.Lax || s.TLS == ""
	s.ClearLogin = s.ClearLogin && s.Lax && s.Login != ""
	if !s.Lax {
		if s.Unverified {
			r.unverified(n)
		}
		return
	}
	what, why := "TLS only where it is offered", "notices verifies it first; take this out if that works"
	if s.TLS == "" {
		what, why = "no TLS", "notices tries TLS first; take this out if the server has it"
	}
	became := "allow_non_secure = true"
	if s.ClearLogin {
		became += ", allow_non_secure_login = true"
	} else if s.Login != "" {
		why += "; the password goes over verified TLS alone, for it did not go in clear before"
	}
	r.took(n, what, "%s", became)
	r.because(why)
}

// unverified tells that the certificate will be looked at, and what to do then.
func (r *reader) unverified(n int) {
	r.left(n, "the certificate was not looked at", "notices looks at it; if notices test-server complains of it, name its CA in ca_file, "+
		"or as a last resort, on a network that you trust, set allow_non_secure and, for a login, allow_non_secure_login")
}

// shellWords splits a line by the quoting rules of the shell. It is false when a quote
// is not closed.
func shellWords(line string) ([]string, bool) {
	var words []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && i+1 < len(line) && (quote == 0 || strings.IndexByte("\"\\$`", line[i+1]) >= 0):
			i++
			word.WriteByte(line[i])
			in = true
		case c == '\\':
			word.WriteByte(c)
			in = true
		case c == '\'', c == '"':
			quote, in = c, true
		case c == ' ', c == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words, quote == 0
}
