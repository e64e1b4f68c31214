package migrate

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// postfix reads the settings of main.cf, postconf(5), about a relay host.
type postfix struct {
	r    *reader
	set  settings  // of main.cf
	all  Server    // what all servers have
	hops []setting // one for each server: its value is the server's name in main.cf
}

// readPostfix reads main.cf. Maps are read if their source is there as text.
func readPostfix(r *reader, text []byte) {
	p := &postfix{r: r, set: mainCF(text)}
	relays := p.set.get("relayhost")
	for _, v := range p.set {
		p.setting(v)
	}
	if relays.value == "" {
		r.noServer = ": relayhost is not set; notices sends through a server, never to the recipients' own"
		return
	}
	for _, v := range []setting{relays, p.set.get("smtp_fallback_relay")} {
		// Postfix tries them one after the other.
		for _, hop := range strings.FieldsFunc(v.value, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }) {
			p.relay(setting{v.line, v.key, hop, v.key + " = " + hop})
		}
	}
	p.sasl()
	// By default it sends no password in plain text, not even over TLS.
	options := p.set.get("smtp_sasl_security_options")
	for i := range r.out.Servers {
		s := &r.out.Servers[i]
		s.NonSecureLogin = options.line > 0 && !strings.Contains(options.value, "noplaintext")
		if s.TLS == "implicit" {
			s.NonSecure = false // no connection begins in clear
		}
		r.security(p.hops[i].line, s)
	}
}

// mainCF splits main.cf into its parameters. A line that begins with a blank goes on
// with the one before; $name and ${name} are replaced where name is in the file.
func mainCF(text []byte) settings {
	var found settings
	n := 0
	for raw := range bytes.Lines(text) {
		n++
		trimmed := strings.TrimSpace(string(raw))
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if (raw[0] == ' ' || raw[0] == '\t') && len(found) > 0 {
			last := &found[len(found)-1]
			last.value = strings.TrimSpace(last.value + " " + trimmed)
			continue
		}
		key, value, _ := strings.Cut(trimmed, "=")
		found.put(setting{line: n, key: strings.TrimSpace(key), value: strings.TrimSpace(value)})
	}
	found.expand()
	return found
}

// expand replaces names once: names in the values stay as they are, and so do names that
// the file does not set.
func (l settings) expand() {
	unexpanded := slices.Clone(l)
	for i := range l {
		v := &l[i]
		v.value = os.Expand(v.value, func(name string) string {
			if v := unexpanded.get(name); v.line > 0 && len(v.value) < 256 {
				return v.value
			}
			return "$" + name
		})
		v.what = v.key + " = " + v.value
	}
}

func (p *postfix) setting(v setting) {
	switch r, s := p.r, &p.all; v.key {
	case "smtp_tls_security_level":
		p.securityLevel(v)
	case "smtp_use_tls", "smtp_enforce_tls":
		if v.value == "yes" && s.TLS == "" {
			s.TLS, s.NonSecure = "starttls", v.key == "smtp_use_tls"
			r.became(v, "%s", tlsText(s.TLS))
		}
	case "smtp_tls_wrappermode":
		if v.value == "yes" {
			s.TLS = "implicit"
			r.became(v, "%s", tlsText(s.TLS))
		}
	case "smtp_tls_CAfile":
		r.authority(v, s)
	case "myhostname":
		if hello := p.set.get("smtp_helo_name"); hello.line > 0 && hello.value != v.value {
			r.skip(v, "smtp_helo_name is what it called itself to servers")
			return
		}
		r.hello(v, v.value)
	case "smtp_helo_name":
		r.hello(v, v.value)
	case "message_size_limit":
		size, err := strconv.Atoi(v.value)
		if err != nil || size < 1 {
			r.skip(v, "notices takes 50 MiB unless [spool] max_message_size is set")
			return
		}
		r.out.MaxSize = size
		r.became(v, "[spool] max_message_size = %d", size)
	case "relayhost", "smtp_fallback_relay", "smtp_sasl_auth_enable", "smtp_sasl_password_maps":
		// noted with the servers, and with their logins
	case "smtp_sasl_security_options":
		r.skip(v, findsOut)
	case "myorigin":
		r.skip(v, "set [site] address, the sender of mail that names none")
	case "maximal_queue_lifetime":
		p.lifetime(v, "d", "[retry] give_up", &r.out.GiveUp)
	case "delay_warning_time":
		p.lifetime(v, "h", "[retry] warn_after", &r.out.WarnAfter)
	case "smtp_tls_fingerprint_cert_match":
		r.fingerprint(v, s)
	case "luser_relay": // who gets the mail for users that do not exist
		r.admin(v)
	case "sender_canonical_maps", "smtp_generic_maps", "canonical_maps":
		p.senderMap(v)
	default:
		r.unknown(v.bare(), "it is not about a relay host")
	}
}

// lifetime takes over a time: a number and s, m, h, d or w.
func (p *postfix) lifetime(v setting, unit, became string, to *time.Duration) {
	digits := strings.TrimRight(v.value, "smhdw")
	if len(digits) < len(v.value) {
		unit = v.value[len(digits):]
	}
	one := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[unit]
	count, err := strconv.Atoi(digits)
	switch {
	case err != nil || one == 0 || count < 0 || count > 10_000_000:
		p.r.skip(v, "it is not a time")
	case count == 0:
		p.r.skip(v, became+" has a default of its own")
	default:
		*to = time.Duration(count) * one
		p.r.became(v, "%s = %q", became, Duration(*to))
	}
}

// senderMap takes over a map that gives every sender the same address, as rewrite_from
// does; any other map has no counterpart.
func (p *postfix) senderMap(v setting) {
	r := p.r
	kind, file, _ := strings.Cut(v.value, ":")
	address := ""
	switch kind {
	case "static":
		address = file
	case "regexp", "pcre":
		if _, text, ok := r.other(v, file); ok {
			address = catchAll(text)
		}
	}
	if v.key == "canonical_maps" || !oneAddress(address) {
		r.skip(v, "notices gives every mail one sender ([site] address, with rewrite_from = true), or leaves each its own: "+
			"set that if the server accepts no other, or senders in each [[server]]")
		return
	}
	r.sender(v, address)
	r.rewrite("the address that the From had goes to Reply-To")
}

// catchAll is the address that a table of patterns gives every address, if it is one.
func catchAll(text []byte) (address string) {
	for _, line := range lines(text) {
		pattern, value := cutWord(line)
		switch strings.Trim(pattern, "/^$()i") {
		case ".*", ".+", ".", "":
			if address == "" {
				address = value
			}
		default:
			address = "-" // another sender has another address
		}
	}
	return address
}

// relay is [HOST]:PORT, or HOST for a domain whose mail exchanger is looked up.
func (p *postfix) relay(v setting) {
	r, s := p.r, p.all
	var rest string
	inner, bracket := strings.CutPrefix(v.value, "[")
	if bracket {
		s.Host, rest, _ = strings.Cut(inner, "]")
		s.Host, rest = strings.TrimPrefix(s.Host, "ipv6:"), strings.TrimPrefix(rest, ":")
	} else {
		s.Host, rest, _ = strings.Cut(v.value, ":")
	}
	r.became(v, "[[server]] %d host = %q", len(r.out.Servers)+1, s.Host)
	if !bracket {
		r.explain("Postfix looks its mail exchanger up (MX); notices connects to the name itself: check it")
	}
	if rest != "" {
		r.port(v, rest, &s)
	}
	r.defaultPort(v.line, &s)
	r.out.Servers, p.hops = append(r.out.Servers, s), append(p.hops, v)
}

// securityLevel reads smtp_tls_security_level. Only verify and above check the certificate.
func (p *postfix) securityLevel(v setting) {
	r, s := p.r, &p.all
	switch v.value {
	case "none", "":
		return
	case "may", "dane":
		s.NonSecure = true // security tells
	case "encrypt", "verify", "secure", "fingerprint", "dane-only":
		s.NonSecure = false
	default:
		r.skip(v, "it is not a level")
		return
	}
	if s.TLS == "" {
		s.TLS = "starttls"
	}
	r.became(v, "STARTTLS")
	s.Unverified = v.value == "encrypt" // security tells
}

// sasl gives each server the login that Postfix has for it.
func (p *postfix) sasl() {
	r, enabled, maps := p.r, p.set.get("smtp_sasl_auth_enable"), p.set.get("smtp_sasl_password_maps")
	if enabled.value != "yes" {
		if enabled.line > 0 {
			r.skip(enabled, "no login")
		}
		if maps.line > 0 {
			r.skip(maps.bare(), "smtp_sasl_auth_enable is not yes: no login")
		}
		return
	}
	if p.saslLogin(maps) {
		r.became(enabled, "login")
		return
	}
	r.skip(enabled, "no password was found: set login and password_file in the [[server]]")
}

// saslLogin looks up the servers in the source of the password map: a key, a blank,
// user:password. found says that one of them has a login.
func (p *postfix) saslLogin(maps setting) (found bool) {
	r := p.r
	maps.what = maps.key + " = " + maps.value
	kind, file, ok := strings.Cut(maps.value, ":")
	if !ok || !strings.HasPrefix(file, "/") || strings.ContainsAny(file, " ,") || kind == "static" {
		r.skip(maps.bare(), "it is not a single file: write the password into the password_file")
		return false
	}
	if !r.within(maps, file, func(text []byte) {
		for n, line := range lines(text) {
			key, value := cutWord(line)
			v := setting{line: n, what: key}
			user, password, ok := strings.Cut(value, ":")
			if ok && p.useLogin(v, user, password) {
				found = true
			} else {
				r.skip(v, "it is for another server")
			}
		}
	}) {
		return false
	}
	for i, s := range r.out.Servers {
		if s.Login == "" {
			r.skip(maps, "it has no password for "+p.hops[i].value)
		}
	}
	if found {
		r.became(maps, "login, password_file")
	}
	return found
}

// useLogin gives a login to the servers that v.what stands for, and reports whether there
// is one.
func (p *postfix) useLogin(v setting, user, password string) (used bool) {
	r, key := p.r, v.what
	v.what += " " + user + ":" + hidden
	for i := range r.out.Servers {
		s := &r.out.Servers[i]
		if key != p.hops[i].value && key != s.Host || s.Login != "" {
			continue
		}
		s.Login, s.Password = user, password
		r.became(v, "[[server]] %d login = %q, password_file", i+1, user)
		used = true
	}
	return used
}
