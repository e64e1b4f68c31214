package migrate

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// postfix reads what of main.cf, postconf(5), is about a relay host. Maps are read
// when they stand beside their source as text.
func (r *reader) postfix(text []byte) {
	p := mainCF(text)
	relays, backups := p.get("relayhost"), p.get("smtp_fallback_relay")
	all := Server{Port: 25}
	for _, v := range p.set {
		r.postfixSetting(p, &all, v)
	}
	for _, v := range []setting{relays, backups} {
		for _, nexthop := range destinations(v.value) {
			s := all
			r.relay(v.line, &s, v.key+" = "+nexthop, nexthop)
			r.out.Servers = append(r.out.Servers, s)
		}
	}
	if relays.value == "" {
		r.out.Servers = nil
		r.nothing = ": relayhost is not set; notices sends through a server, never to the recipients' own"
		return
	}
	hops := append(destinations(relays.value), destinations(backups.value)...)
	r.sasl(p, hops)
	// Unless it is told otherwise it shows no password, not even over TLS.
	options := p.get("smtp_sasl_security_options")
	for i := range r.out.Servers {
		s := &r.out.Servers[i]
		s.ClearLogin = options.line > 0 && !strings.Contains(options.value, "noplaintext")
		if s.TLS == "implicit" {
			s.Lax = false // no connection begins in clear
		}
		line := relays.line
		if i >= len(destinations(relays.value)) {
			line = backups.line
		}
		r.lax(line, s)
	}
}

// destinations splits a list of servers, which Postfix tries one after the other.
func destinations(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
}

// sasl gives each server the login that Postfix has for it; hops are their names there.
func (r *reader) sasl(p *account, hops []string) {
	enabled, maps := p.get("smtp_sasl_auth_enable"), p.get("smtp_sasl_password_maps")
	what := enabled.key + " = " + enabled.value
	if enabled.value != "yes" {
		if enabled.line > 0 {
			r.left(enabled.line, what, "no login")
		}
		if maps.line > 0 {
			r.left(maps.line, maps.key, "smtp_sasl_auth_enable is not yes: no login")
		}
		return
	}
	r.saslLogin(maps, hops)
	if slices.ContainsFunc(r.out.Servers, func(s Server) bool { return s.Login != "" }) {
		r.took(enabled.line, what, "login")
		return
	}
	r.left(enabled.line, what, "no password was found: set login and password_file in the [[server]]")
}

// mainCF splits main.cf into its parameters. A line that begins with a blank goes on
// with the one before; $name and ${name} are replaced where name is in the file.
func mainCF(text []byte) *account {
	p := &account{}
	n := 0
	for raw := range bytes.Lines(text) {
		n++
		line := strings.TrimRight(string(raw), "\r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && len(p.set) > 0 {
			last := &p.set[len(p.set)-1]
			last.value = strings.TrimSpace(last.value + " " + trimmed)
			continue
		}
		key, value, _ := strings.Cut(trimmed, "=")
		p.put(setting{n, strings.TrimSpace(key), strings.TrimSpace(value)})
	}
	p.expand()
	return p
}

// expand replaces names once; what they stand for in turn stays as it is, and so does
// a name that the file does not set.
func (a *account) expand() {
	values := map[string]string{}
	for _, v := range a.set {
		values[v.key] = v.value
	}
	for i := range a.set {
		v := &a.set[i]
		v.value = os.Expand(v.value, func(name string) string {
			if value, ok := values[name]; ok && len(value) < 256 {
				return value
			}
			return "$" + name
		})
	}
}

func (r *reader) postfixSetting(p *account, s *Server, v setting) {
	what := v.key + " = " + v.value
	switch v.key {
	case "smtp_tls_security_level":
		r.securityLevel(v.line, s, what, v.value)
	case "smtp_use_tls", "smtp_enforce_tls":
		if v.value == "yes" && s.TLS == "" {
			s.TLS, s.Lax = "starttls", v.key == "smtp_use_tls"
			r.took(v.line, what, "STARTTLS")
		}
	case "smtp_tls_wrappermode":
		if v.value == "yes" {
			s.TLS = "implicit"
			r.took(v.line, what, "TLS from the first octet")
		}
	case "smtp_tls_CAfile":
		r.authority(v.line, s, what, v.value)
	case "myhostname":
		if helo := p.get("smtp_helo_name"); helo.line > 0 && helo.value != v.value {
			r.left(v.line, what, "smtp_helo_name is what it called itself to servers")
			return
		}
		r.ehlo(v.line, what, v.value)
	case "smtp_helo_name":
		r.ehlo(v.line, what, v.value)
	case "message_size_limit":
		r.messageSize(v.line, what, v.value)
	case "relayhost", "smtp_fallback_relay", "smtp_sasl_auth_enable", "smtp_sasl_password_maps":
		// told with the servers, and with their logins
	case "smtp_sasl_security_options":
		r.left(v.line, what, "notices finds out by itself how to log in")
	case "myorigin":
		r.left(v.line, what, "set [site] address, the sender of mail that names none")
	case "maximal_queue_lifetime":
		r.lifetime(v.line, what, v.value, "d", "[retry] give_up", &r.out.GiveUp)
	case "delay_warning_time":
		r.lifetime(v.line, what, v.value, "h", "[retry] warn_after", &r.out.WarnAfter)
	case "smtp_tls_fingerprint_cert_match":
		r.fingerprint(v.line, s, what, v.value)
	case "luser_relay":
		r.luserRelay(v.line, what, v.value)
	case "sender_canonical_maps", "smtp_generic_maps", "canonical_maps":
		r.senderMap(v, what)
	default:
		r.unknown(v.line, v.key, v.key, "it is not about a relay host")
	}
}

// luserRelay: who gets the mail for users that there are not.
func (r *reader) luserRelay(n int, what, value string) {
	if became := r.admin(value); became != "" {
		r.took(n, what, "%s", became)
		return
	}
	r.left(n, what, "it is no single address: set [site] admin")
}

// lifetime takes a time over: a number and s, m, h, d or w.
func (r *reader) lifetime(n int, what, value, unit, became string, to *time.Duration) {
	digits := strings.TrimRight(value, "smhdw")
	if len(digits) < len(value) {
		unit = value[len(digits):]
	}
	one := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[unit]
	count, err := strconv.Atoi(digits)
	if err != nil || one == 0 || count < 0 || count > 10_000_000 {
		r.left(n, what, "it is no time")
		return
	}
	*to = time.Duration(count) * one
	if *to == 0 {
		r.left(n, what, became+" has a default of its own")
		return
	}
	r.took(n, what, "%s = %q", became, Duration(*to))
}

// senderMap: a map that gives every sender the same address is what rewrite_from does;
// any other has no counterpart.
func (r *reader) senderMap(v setting, what string) {
	kind, file, _ := strings.Cut(v.value, ":")
	address := ""
	switch kind {
	case "static":
		address = file
	case "regexp", "pcre":
		if _, text, ok := r.beside(v.line, what, file); ok {
			address = catchAll(text)
		}
	}
	if v.key == "canonical_maps" || !oneAddress(address) {
		r.left(v.line, what, "notices gives every mail one sender ([site] address, with rewrite_from = true), or leaves each its own: "+
			"set that if the server takes no other, or senders in each [[server]]")
		return
	}
	r.sender(v.line, what, address)
	r.rewrite("the address that the From had goes to Reply-To")
}

// catchAll is what a table of patterns says of every address, if that is one address.
func catchAll(text []byte) (address string) {
	lines(text, func(_ int, line string) {
		pattern, value := msmtpLine(line)
		switch strings.Trim(pattern, "/^$()i") {
		case ".*", ".+", ".", "":
			if address == "" {
				address = value
			}
		default:
			address = "-" // another sender has another address
		}
	})
	return address
}

// relay is [HOST]:PORT, or HOST for a domain whose mail exchanger is looked up.
func (r *reader) relay(n int, s *Server, what, value string) {
	rest := value
	if inner, ok := strings.CutPrefix(value, "["); ok {
		s.Host, rest, _ = strings.Cut(inner, "]")
		s.Host = strings.TrimPrefix(s.Host, "ipv6:")
		rest = strings.TrimPrefix(rest, ":")
	} else {
		s.Host, rest, _ = strings.Cut(rest, ":")
	}
	r.took(n, what, "[[server]] %d host = %q", len(r.out.Servers)+1, s.Host)
	if !strings.HasPrefix(value, "[") {
		r.because("Postfix looks its mail exchanger up (MX); notices connects to the name itself: check it")
	}
	if rest != "" {
		r.port(n, s, what, rest)
	} else {
		r.took(n, "no port", "port = 25")
		r.because("Postfix's default")
	}
}

// securityLevel: smtp_tls_security_level. Only verify and more look at the certificate.
func (r *reader) securityLevel(n int, s *Server, what, level string) {
	switch level {
	case "none", "":
		return
	case "may", "dane":
		s.Lax = true // lax tells
	case "encrypt", "verify", "secure", "fingerprint", "dane-only":
		s.Lax = false
	default:
		r.left(n, what, "it is no level")
		return
	}
	if s.TLS == "" {
		s.TLS = "starttls"
	}
	r.took(n, what, "STARTTLS")
	s.Unverified = level == "encrypt" // lax tells
}

func (r *reader) messageSize(n int, what, value string) {
	size, err := strconv.Atoi(value)
	if err != nil || size < 1 {
		r.left(n, what, "notices takes 50 MiB unless [spool] max_message_size is set")
		return
	}
	r.out.MaxSize = size
	r.took(n, what, "[spool] max_message_size = %d", size)
}

// saslLogin looks the servers up in the password map's source: a key, a blank,
// user:password.
func (r *reader) saslLogin(maps setting, hops []string) {
	what := maps.key + " = " + maps.value
	kind, file, ok := strings.Cut(maps.value, ":")
	if !ok || !strings.HasPrefix(file, "/") || strings.ContainsAny(file, " ,") || kind == "static" {
		r.left(maps.line, maps.key, "it is no single file: write the password into the password_file")
		return
	}
	file, text, ok := r.beside(maps.line, what, file)
	if !ok {
		return
	}
	found := false
	r.within(file, func() {
		lines(text, func(n int, line string) {
			key, value := msmtpLine(line)
			user, password, ok := strings.Cut(value, ":")
			if !ok || !r.useLogin(n, key, hops, user, password) {
				r.left(n, key, "it is for another server")
				return
			}
			found = true
		})
	})
	for i, s := range r.out.Servers {
		if s.Login == "" {
			r.left(maps.line, what, "it has no password for "+hops[i])
		}
	}
	if found {
		r.took(maps.line, what, "login, password_file")
	}
}

// useLogin gives a login to the servers that a key stands for, and reports whether there
// is one.
func (r *reader) useLogin(n int, key string, hops []string, user, password string) (used bool) {
	for i := range r.out.Servers {
		s := &r.out.Servers[i]
		if key != hops[i] && key != s.Host || s.Login != "" {
			continue
		}
		s.Login, s.Password = user, password
		r.took(n, key+" "+user+":"+hidden, "[[server]] %d login = %q, password_file", i+1, user)
		used = true
	}
	return used
}
