package setup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"notices/config"
)

// serverKind is one of the ways that mail can go.
type serverKind struct {
	title  string
	preset string
	auth   string // of a sign-in instead of a password
	login  string // proposed; "@": the site's address
	hint   string // about the password

	service bool // somebody else's notices serve: it has a section of its own
}

func serverKinds() []serverKind {
	return []serverKind{
		{title: "a mail server of your own, or your provider's", login: "-"},
		{title: "Gmail or Google Workspace, signing in with Google", auth: config.AuthGoogle},
		{title: "Gmail or Google Workspace, with an app password", preset: "gmail", login: "@",
			hint: "Google takes an app password, not your own: myaccount.google.com/apppasswords"},
		{title: "Microsoft 365, signing in with Microsoft", auth: config.AuthMicrosoft},
		{title: "Google Workspace's relay for servers (smtp-relay.gmail.com)", preset: "google-relay", login: "-"},
		{title: "Amazon SES", preset: "ses"},
		{title: "SendGrid", preset: "sendgrid", login: "apikey", // with SendGrid it is this word
			hint: "The password is the API key."},
		{title: "Mailgun", preset: "mailgun"},
		{title: "Fastmail", preset: "fastmail", login: "@",
			hint: "Fastmail takes an app password, not your own: Settings, Privacy & Security"},
		{title: "a service that gave you a site name and a key (notices-service(7))", service: true},
	}
}

// answers are what a person said of a server, or would have said.
type answers struct {
	serverKind
	which     int // of ways
	host      string
	port      int
	tls       string // empty: as is usual at the port
	user      string
	password  string
	old       config.Secret // that the configuration has, if it is one that is changed
	tried     string        // what was read of old for the last test
	via       bool          // it is an account that all mail goes by
	keep      bool          // of a configuration that is changed: as it is
	nonSecure bool          // also without verified TLS
	failed    string        // why the test failed; empty if it passed or was not run
	client    string
	secret    string // file
	keyFile   string // of a service
	caFile    string // if the certificate is not of an authority that the system trusts
}

// oldAnswers are those for the servers that the configuration has.
func oldAnswers(cfg *config.Config) []*answers {
	var list []*answers
	account := func(name string, via bool) {
		v := &answers{client: cfg.Account(name).ClientID, via: via}
		v.choose(slices.IndexFunc(serverKinds(), func(w serverKind) bool { return w.auth == name }))
		list = append(list, v)
	}
	if cfg.Delivery.Via != config.ViaServers {
		account(cfg.Delivery.Via, true)
	}
	for i := range cfg.Servers {
		c := &cfg.Servers[i]
		if c.Auth != config.AuthPassword {
			account(c.Auth, false)
			continue
		}
		v := &answers{user: c.Login, nonSecure: c.AllowNonSecure}
		if c.Password.HasKey() {
			v.old = c.Password
		}
		v.choose(max(0, slices.IndexFunc(serverKinds(), func(w serverKind) bool { return w.auth == "" && w.preset == c.Preset })))
		ofPreset := func(key string) bool {
			return v.preset != "" && slices.ContainsFunc(c.FromPreset, func(line string) bool { return strings.HasPrefix(line, key+" ") })
		}
		if !ofPreset("host") {
			v.host = c.Host
		}
		if !ofPreset("port") {
			v.port = c.Port
		}
		if usual := c.Port == 465; usual != (c.TLS == config.Implicit) {
			v.tls = c.TLS
		}
		list = append(list, v)
	}
	return list
}

func (v *answers) choose(which int) { v.which, v.serverKind = which, serverKinds()[which] }

// describe is what a server is called in a question.
func (v *answers) describe() string {
	what := v.title
	if v.host != "" {
		what = v.host
	}
	if v.port > 0 && v.host != "" {
		what += fmt.Sprintf(", port %d", v.port)
	}
	if v.user != "" {
		what += ", login " + v.user
	}
	return what
}

// keptSecret reports whether the password stays that the configuration has.
func (v *answers) keptSecret() bool { return v.user != "" && v.password == "" && v.old.IsSet() }

// askOldServers goes through the servers that there are.
func (s *dialogue) askOldServers() {
	if s.old == nil {
		return
	}
	for i, v := range oldAnswers(s.old) {
		if s.Choose(fmt.Sprintf("Server %d is %s.", i+1, v.describe()), []string{"keep it as it is", "change it"}, 0) == 1 {
			s.askServer(v)
		} else {
			v.keep = true
			s.servers = append(s.servers, v)
		}
	}
}

// askServer asks for the next server, with what was said before as a proposal, and tests
// it, until it works or is to stay as it is.
func (s *dialogue) askServer(v *answers) {
	s.servers = append(s.servers, v)
	n := len(s.servers)
	var titles []string
	for _, w := range serverKinds() {
		titles = append(titles, w.title)
	}
	for again := true; again && s.Err == nil; again = s.tryServer(n, v) {
		if i := s.Choose(fmt.Sprintf("Server %d: how does mail go out?", n), titles, v.which); i != v.which {
			*v = answers{which: i}
		}
		v.choose(v.which)
		if v.auth != "" {
			s.askAccount(v)
			continue
		}
		if v.service {
			s.askService(v)
			continue
		}
		s.askHost(n, v)
		s.askLogin(n, v)
	}
}

// valid checks a value of a server's key.
func valid(n int, key string) func(text string) error {
	return func(text string) error {
		return config.Check(config.Setting{Section: "server", N: n, Key: key, Value: text})
	}
}

// askHost asks for the address, unless the preset knows it.
func (s *dialogue) askHost(n int, v *answers) {
	switch v.preset {
	case "":
		v.host = s.Ask("Its name or IP address", v.host, valid(n, "host"))
		s.askPort(v)
	case "ses":
		s.Say("Amazon SES has a host in each region, such as email-smtp.eu-west-1.amazonaws.com.")
		v.host = s.Ask("The one of your account", v.host, valid(n, "host"))
	case "mailgun": // its domains are in one of two regions, each with its host
		eu := s.Yes("Is your Mailgun domain in the EU region?", v.host != "")
		if v.host = ""; eu {
			v.host = "smtp.eu.mailgun.org"
		}
	}
}

// askPort asks for the port, and how TLS begins where that does not follow from it.
func (s *dialogue) askPort(v *answers) {
	normal := "587"
	if v.port > 0 {
		normal = strconv.Itoa(v.port)
	}
	before := v.port
	s.Ask("Its port (587 or 465 with a login, 25 in your own network)", normal, func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be a whole number")
		}
		v.port = n
		return config.Check(config.Setting{Section: "server", N: 1, Key: "port", Value: n})
	})
	switch v.port {
	case 25, 465, 587:
		if v.port != before {
			v.tls = ""
		}
		return
	}
	implicit := s.Yes("Does TLS begin with the connection there, as at port 465? (no: by STARTTLS)", v.tls == config.Implicit)
	if v.tls = ""; implicit {
		v.tls = config.Implicit
	}
}

// askLogin asks for user name and password; both may be missing.
func (s *dialogue) askLogin(n int, v *answers) {
	normal := v.user
	if normal == "" {
		if normal = v.login; normal == "@" {
			normal = s.address
		}
	}
	v.user = s.Ask("User name there (- if it needs none)", normal, func(text string) error {
		if text == "" {
			return errors.New("must be a user name, or - for none")
		}
		return valid(n, "login")(text)
	})
	if v.user == "-" {
		v.user, v.password, v.old = "", "", config.Secret{}
		return
	}
	if v.hint != "" {
		s.Say("%s", v.hint)
	}
	question := "Password (it is not shown; Enter: later)"
	if v.password != "" || v.old.IsSet() {
		question = "Password (it is not shown; Enter: the same)"
	}
	if password := s.Secret(question); password != "" {
		v.password = password
	}
}

// askAccount asks for the client that signs in.
func (s *dialogue) askAccount(v *answers) {
	s.Say("Signing in needs an OAuth client of your organization: notices-google(7)\nexplains how to get one. It can be filled in later.")
	v.client = s.Ask("Client ID, or the JSON file that Google gives (Enter: later)", v.client, nil)
	v.secret = ""
	if strings.HasSuffix(v.client, ".json") {
		v.client, v.secret = "", v.client
	} else if v.client != "" {
		v.secret = s.Ask("File with the client's secret (Enter: none)", "", nil)
	}
}

// put writes the answers into a draft. password: into a file of its own, too.
func (v *answers) put(d *draft, n int, sole, password bool) {
	if v.keep && (sole || !v.via) {
		return
	}
	if v.auth != "" {
		v.putAccount(d, n, sole)
		return
	}
	if v.service {
		v.putService(d, password)
		return
	}
	d.putServer(n, "auth", "")
	d.putServer(n, "preset", v.preset)
	d.putServer(n, "host", v.host)
	d.putServer(n, "port", v.port)
	d.putServer(n, "tls", v.tls)
	if v.caFile != "" {
		d.putServer(n, "ca_file", v.caFile)
	}
	d.putServer(n, "allow_non_secure", v.nonSecure)
	d.putServer(n, "allow_non_secure_login", v.nonSecure && v.user != "")
	d.putServer(n, "login", v.user)
	if !password || v.keptSecret() {
		return
	}
	for _, key := range secretKeys() {
		d.putServer(n, key, "")
	}
	if v.password != "" {
		d.putPassword(n, v.password)
	}
}

// secretKeys are the ways to a server's secret, of which one at most is set.
func secretKeys() []string {
	return []string{"password", "password_file", "password_command", "token_command"}
}

// putAccount: mail goes by the account alone, or it is one server among others.
func (v *answers) putAccount(d *draft, n int, sole bool) {
	if sole {
		d.put("delivery", "via", v.auth)
	} else {
		for _, key := range append(secretKeys(), "preset", "host", "port", "tls", "login") {
			d.putServer(n, key, "")
		}
		d.putServer(n, "auth", v.auth)
	}
	if v.client != "" {
		d.put(v.auth, "client_id", v.client)
	}
	if v.secret != "" {
		d.put(v.auth, "client_secret_file", v.secret)
	}
}
