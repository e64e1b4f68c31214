package migrate

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is one of an msmtprc: its settings, in the order of the file, the inherited
// ones first. It serves for a main.cf, too.
type account struct {
	name string
	set  []setting
	from []int // the lines of this account and of those that it inherits from
}

type setting struct {
	line       int
	key, value string
}

// get is the setting of that key; its line is 0 when there is none.
func (a *account) get(key string) setting {
	for i := len(a.set) - 1; i >= 0; i-- {
		if a.set[i].key == key {
			return a.set[i]
		}
	}
	return setting{key: key}
}

// on reports whether a setting is on; normal, when it is not there.
func (a *account) on(key string, normal bool) bool {
	s := a.get(key)
	if s.line == 0 {
		return normal
	}
	return s.value == "" || s.value == "on"
}

// msmtp reads an msmtprc, msmtp(1). Its accounts are alternatives, not backups: the
// default one becomes Server 1, and of the others it is said that they are there.
func (r *reader) msmtp(text []byte) {
	accounts := r.accounts(text)
	chosen := defaultAccount(accounts)
	if chosen == nil {
		r.nothing = ": no account is defined"
		return
	}
	for _, a := range accounts {
		if line := a.get("account").line; !slices.Contains(chosen.from, line) {
			r.left(line, "account "+a.name,
				`it is not the default one; notices tries servers one after the other: add a [[server]] if it is to be the backup`)
		}
	}
	r.account(chosen)
}

// accounts splits the file.
func (r *reader) accounts(text []byte) []*account {
	var all []*account
	defaults := &account{}
	into := defaults
	lines(text, func(n int, line string) {
		key, value := msmtpLine(line)
		switch key {
		case "defaults":
			into = defaults
		case "account":
			name, parents, _ := strings.Cut(value, ":")
			into = &account{name: strings.TrimSpace(name), set: slices.Clone(defaults.set), from: []int{n}}
			for parent := range strings.SplitSeq(parents, ",") {
				into.inherit(all, strings.TrimSpace(parent))
			}
			into.put(setting{n, key, value})
			all = append(all, into)
		case "eval":
			r.left(n, "eval", "notices runs no command to read a configuration: put its result here")
		default:
			into.put(setting{n, key, value})
		}
	})
	return all
}

// put sets a key, in the place of what it was set to before.
func (a *account) put(s setting) {
	a.set = append(slices.DeleteFunc(a.set, func(old setting) bool { return old.key == s.key }), s)
}

func (a *account) inherit(all []*account, name string) {
	for _, parent := range all {
		if parent.name != name || slices.Contains(a.from, parent.from[0]) {
			continue
		}
		a.from = append(a.from, parent.from[0])
		for _, s := range parent.set {
			a.put(s)
		}
	}
}

// msmtpLine splits a line into command and argument, which may stand in double quotes.
func msmtpLine(line string) (key, value string) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	value = strings.TrimSpace(line[i:])
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return line[:i], value
}

// defaultAccount is the one that msmtp uses unless it is told otherwise; else the
// first.
func defaultAccount(accounts []*account) *account {
	for _, a := range accounts {
		if a.name == "default" {
			return a
		}
	}
	if len(accounts) > 0 {
		return accounts[0]
	}
	return nil
}

// account makes a server of one.
func (r *reader) account(a *account) {
	host := a.get("host")
	if host.value == "" {
		r.nothing = ": account " + a.name + " has no host"
		return
	}
	s := Server{Host: host.value}
	if a.on("tls", false) {
		s.TLS = "starttls"
		if !a.on("tls_starttls", true) {
			s.TLS = "implicit"
		}
		s.Unverified = !a.on("tls_certcheck", true)
	}
	// Without TLS it finds a way to log in by itself only if that does not show the password.
	method := a.get("auth").value
	s.ClearLogin = method == "plain" || method == "login"
	for _, v := range a.set {
		r.msmtpSetting(a, &s, v)
	}
	switch {
	case s.Port == 0 && s.TLS == "implicit":
		s.Port = 465
	case s.Port == 0:
		s.Port = 25
		r.took(host.line, "no port", "port = 25")
		r.because("msmtp's default")
	}
	r.lax(host.line, &s)
	if s.Login != "" && s.Password == "" && s.PasswordCommand == "" && s.TokenCommand == "" {
		r.left(a.get("user").line, "no password", "msmtp has it in a key ring or in .netrc: write it into the password_file")
	}
	r.out.Servers = append(r.out.Servers, s)
}

func (r *reader) msmtpSetting(a *account, s *Server, v setting) {
	what := v.key
	if v.value != "" {
		what += " " + v.value
	}
	switch v.key {
	case "account":
		r.took(v.line, what, "[[server]] 1")
	case "host":
		r.took(v.line, what, "host = %q", v.value)
	case "port":
		r.port(v.line, s, what, v.value)
	case "tls", "tls_starttls":
		r.took(v.line, what, "%s", tlsWord(s.TLS))
	case "tls_certcheck":
		if !s.Unverified {
			r.left(v.line, what, "notices verifies certificates by itself")
		}
	case "tls_trust_file":
		r.authority(v.line, s, what, v.value)
	case "auth", "user", "password", "passwordeval":
		r.msmtpAuth(a, s, v)
	case "from":
		r.sender(v.line, what, v.value)
	case "domain":
		r.ehlo(v.line, what, v.value)
	case "timeout":
		r.timeout(v.line, s, what, v.value)
	case "syslog":
		if v.value != "off" {
			r.out.Syslog = true
			r.took(v.line, what, `[log] to = "syslog"`)
		}
	case "logfile":
		r.left(v.line, what, "its lines are of another form; notices has a log of its own: [log] to")
	case "tls_fingerprint":
		r.fingerprint(v.line, s, what, v.value)
	case "from_full_name":
		r.out.Name = v.value
		r.took(v.line, what, "[site] name = %q", v.value)
	case "set_from_header":
		if v.value != "on" || !oneAddress(a.get("from").value) {
			r.left(v.line, what, reasons[v.key])
			return
		}
		r.took(v.line, what, "[site]")
		r.rewrite("the address that the From had goes to Reply-To")
	default:
		r.unknown(v.line, what, v.key, "notices has no such setting")
	}
}

// rewrite has every mail go out from the site's address: the last note says so.
func (r *reader) rewrite(why string) {
	r.out.Rewrite = true
	r.out.Notes[len(r.out.Notes)-1].Became += " rewrite_from = true"
	r.because(why)
}

// fingerprint takes the hash of a certificate over, if it is a good one.
func (r *reader) fingerprint(n int, s *Server, what, value string) {
	digits := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(value))
	if _, err := hex.DecodeString(digits); err != nil || len(digits) != 64 {
		r.left(n, what, "it is no SHA-256 hash in hexadecimal digits, and notices takes no other: set tls_fingerprint, or ca_file, if its CA is not among the system's")
		return
	}
	s.Fingerprint = "sha256:" + digits
	r.took(n, what, "tls_fingerprint = %q", s.Fingerprint)
}

// msmtpAuth is about the login, which there is only when auth says so.
func (r *reader) msmtpAuth(a *account, s *Server, v setting) {
	off := !a.on("auth", false)
	switch method := a.get("auth").value; method {
	case "plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "digest-md5":
		off = false
	case "oauthbearer", "xoauth2":
		r.msmtpToken(a, s, v)
		return
	case "external", "gssapi", "ntlm":
		r.left(v.line, v.key, "notices cannot log in by "+method)
		return
	}
	switch {
	case v.key == "auth":
		r.left(v.line, "auth "+v.value, "notices finds out by itself how to log in")
	case off:
		r.left(v.line, v.key, "auth is off: no login")
	case v.value == "":
	case v.key == "user":
		s.Login = v.value
		r.took(v.line, "user "+v.value, "login = %q", v.value)
	case v.key == "password":
		s.Password, s.PasswordCommand = v.value, ""
		r.took(v.line, "password "+hidden, "password_file")
	case a.get("password").value == "":
		s.PasswordCommand = v.value
		r.took(v.line, "passwordeval", "password_command")
		r.because("it is run without a terminal, as the user that runs notices")
	default:
		r.left(v.line, "passwordeval", "password is set")
	}
}

// msmtpToken is about a login with a token, which passwordeval prints.
func (r *reader) msmtpToken(a *account, s *Server, v setting) {
	switch evaluated := a.get("passwordeval").value; {
	case evaluated == "" || a.get("user").value == "":
		r.left(v.line, v.key, "tokens come from token_command, notices google-login or notices microsoft-login; see notices-google(7)")
	case v.key == "user":
		s.Login = v.value
		r.took(v.line, "user "+v.value, "login = %q", v.value)
	case v.key == "passwordeval":
		s.TokenCommand = v.value
		r.took(v.line, v.key, "token_command")
		r.because("it is run without a terminal, as the user that runs notices")
	case v.key == "auth":
		r.left(v.line, "auth "+v.value, "a token goes by XOAUTH2")
	default:
		r.left(v.line, v.key, "passwordeval gives a token")
	}
}

func tlsWord(tls string) string {
	switch tls {
	case "implicit":
		return "TLS from the first octet"
	case "starttls":
		return "STARTTLS"
	}
	return "no TLS"
}

// sender takes an address over as the site's.
func (r *reader) sender(n int, what, value string) {
	if !oneAddress(value) {
		r.left(n, what, "it is no single address: set [site] address")
		return
	}
	r.out.Address = value
	r.took(n, what, "[site] address = %q", value)
}

// ehlo takes the name over that the machine calls itself by.
func (r *reader) ehlo(n int, what, value string) {
	if strings.ContainsAny(value, "%$") || value == "" || value == "localhost" {
		r.left(n, what, "notices takes the machine's name unless [site] hostname is set")
		return
	}
	if value = strings.TrimSuffix(value, "."); !isFull(value) {
		r.left(n, what, noFullName)
		return
	}
	r.out.Hostname = value
	r.took(n, what, "[site] hostname = %q", value)
}

// isFull reports whether a name is more than a short one, or is an address in brackets.
func isFull(name string) bool { return strings.Contains(name, ".") || strings.HasPrefix(name, "[") }

const noFullName = "it is no full name, and some servers refuse a machine that calls itself so: " +
	"notices takes the machine's own unless [site] hostname is set"

func (r *reader) timeout(n int, s *Server, what, value string) {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 1 || seconds > 24*3600 {
		r.left(n, what, "notices waits for a minute")
		return
	}
	s.Timeout = time.Duration(seconds) * time.Second
	r.took(n, what, "timeout = %q", Duration(s.Timeout))
}
