package migrate

import (
	"slices"
	"strings"
	"time"
)

// account is one of an msmtprc: its settings, the inherited ones first.
type account struct {
	name string
	set  settings
	from []int // the lines of this account and of those that it inherits from
}

// inherit takes over the settings of accounts with that name.
func (a *account) inherit(all []*account, name string) {
	for _, parent := range all {
		if parent.name != name || slices.Contains(a.from, parent.from[0]) {
			continue
		}
		a.from = append(a.from, parent.from[0])
		for _, s := range parent.set {
			a.set.put(s)
		}
	}
}

// msmtp is an account that becomes a server.
type msmtp struct {
	r      *reader
	set    settings // of that account
	server Server
}

// readMSMTP reads an msmtprc, msmtp(1). Its accounts are alternatives, not backups: the
// default one becomes Server 1, and a note names each of the others.
func readMSMTP(r *reader, text []byte) {
	accounts := readAccounts(r, text)
	if len(accounts) == 0 {
		r.noServer = ": no account is defined"
		return
	}
	chosen := accounts[max(0, slices.IndexFunc(accounts, func(a *account) bool { return a.name == "default" }))]
	for _, a := range accounts {
		if line := a.set.get("account").line; !slices.Contains(chosen.from, line) {
			r.skip(setting{line: line, what: "account " + a.name},
				`it is not the default one; notices tries servers one after the other: add a [[server]] if it is to be the backup`)
		}
	}
	if chosen.set.get("host").value == "" {
		r.noServer = ": account " + chosen.name + " has no host"
		return
	}
	(&msmtp{r: r, set: chosen.set}).read()
}

// readAccounts splits the file.
func readAccounts(r *reader, text []byte) []*account {
	var all []*account
	defaults := &account{}
	into := defaults
	for n, line := range lines(text) {
		switch v := wordSetting(n, line); v.key {
		case "defaults":
			into = defaults
		case "account":
			name, parents, _ := strings.Cut(v.value, ":")
			into = &account{name: strings.TrimSpace(name), set: slices.Clone(defaults.set), from: []int{n}}
			for parent := range strings.SplitSeq(parents, ",") {
				into.inherit(all, strings.TrimSpace(parent))
			}
			into.set.put(v)
			all = append(all, into)
		case "eval":
			r.skip(v.bare(), "notices runs no command to read a configuration: put its result here")
		default:
			into.set.put(v)
		}
	}
	return all
}

// cutWord splits a line into its first word and the rest, which may stand in double quotes.
func cutWord(line string) (key, value string) {
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

// read makes the server.
func (m *msmtp) read() {
	host, s := m.set.get("host"), &m.server
	s.Host = host.value
	if m.set.on("tls", false) {
		s.TLS = "starttls"
		if !m.set.on("tls_starttls", true) {
			s.TLS = "implicit"
		}
		s.Unverified = !m.set.on("tls_certcheck", true)
	}
	// Without TLS it finds a way to log in by itself only if that does not show the password.
	method := m.set.get("auth").value
	s.NonSecureLogin = method == "plain" || method == "login"
	for _, v := range m.set {
		m.setting(v)
	}
	m.r.add(host.line, *s)
	if s.Login != "" && s.Password == "" && s.PasswordCommand == "" && s.TokenCommand == "" {
		m.r.skip(setting{line: m.set.get("user").line, what: "no password"}, "msmtp has it in a key ring or in .netrc: write it into the password_file")
	}
}

func (m *msmtp) setting(v setting) {
	switch r, s := m.r, &m.server; v.key {
	case "account":
		r.became(v, "[[server]] 1")
	case "host":
		r.became(v, "host = %q", v.value)
	case "port":
		r.port(v, v.value, s)
	case "tls", "tls_starttls":
		r.became(v, "%s", tlsText(s.TLS))
	case "tls_certcheck":
		if !s.Unverified {
			r.skip(v, "notices always verifies certificates")
		}
	case "tls_trust_file":
		r.authority(v, s)
	case "auth", "user", "password", "passwordeval":
		m.auth(v)
	case "from":
		r.sender(v, v.value)
	case "domain":
		r.hello(v, v.value)
	case "timeout":
		r.seconds(v, 24*time.Hour, &s.Timeout, "timeout", "notices waits for a minute")
	case "syslog":
		if v.value != "off" {
			r.out.Syslog = true
			r.became(v, `[log] to = "syslog"`)
		}
	case "logfile":
		r.skip(v, "its lines have another form; notices has its own log: [log] to")
	case "tls_fingerprint":
		r.fingerprint(v, s)
	case "from_full_name":
		r.out.Name = v.value
		r.became(v, "[site] name = %q", v.value)
	case "set_from_header":
		if v.value != "on" || !oneAddress(m.set.get("from").value) {
			r.skip(v, reasonFor(v.key))
			return
		}
		r.became(v, "[site]")
		r.rewrite("the address that the From had goes to Reply-To")
	default:
		r.unknown(v, noSuchSetting)
	}
}

// auth reads the settings of the login, which needs auth.
func (m *msmtp) auth(v setting) {
	r, s := m.r, &m.server
	off := !m.set.on("auth", false)
	switch method := m.set.get("auth").value; method {
	case "plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "digest-md5":
		off = false
	case "oauthbearer", "xoauth2":
		m.token(v)
		return
	case "external", "gssapi", "ntlm":
		r.skip(v.bare(), "notices cannot log in by "+method)
		return
	}
	switch {
	case v.key == "auth":
		r.skip(v, findsOut)
	case off:
		r.skip(v.bare(), "auth is off: no login")
	case v.value == "":
	case v.key == "user":
		r.login(v, s)
	case v.key == "password":
		v.what = "password " + hidden
		s.PasswordCommand = ""
		r.password(v, s)
	case m.set.get("password").value == "":
		s.PasswordCommand = v.value
		r.became(v.bare(), "password_command")
		r.explain("it runs without a terminal, as the user that runs notices")
	default:
		r.skip(v.bare(), "password is set")
	}
}

// token reads the settings of a login with a token, which passwordeval prints.
func (m *msmtp) token(v setting) {
	r, s := m.r, &m.server
	switch evaluated := m.set.get("passwordeval").value; {
	case evaluated == "" || m.set.get("user").value == "":
		r.skip(v.bare(), "tokens come from token_command, notices google-login or notices microsoft-login; see notices-google(7)")
	case v.key == "user":
		r.login(v, s)
	case v.key == "passwordeval":
		s.TokenCommand = v.value
		r.became(v.bare(), "token_command")
		r.explain("it runs without a terminal, as the user that runs notices")
	case v.key == "auth":
		r.skip(v, "a token goes by XOAUTH2")
	default:
		r.skip(v.bare(), "passwordeval gives a token")
	}
}
