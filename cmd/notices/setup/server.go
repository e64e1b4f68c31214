package setup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/probe"
)

// way is one of the ways that mail can go.
type way struct {
	title  string
	preset string
	auth   string // of a sign-in instead of a password
}

func ways() []way {
	return []way{
		{title: "a mail server of your own, or your provider's"},
		{title: "Gmail or Google Workspace, signing in with Google", auth: config.AuthGoogle},
		{title: "Gmail or Google Workspace, with an app password", preset: "gmail"},
		{title: "Microsoft 365, signing in with Microsoft", auth: config.AuthMicrosoft},
		{title: "Google Workspace's relay for servers (smtp-relay.gmail.com)", preset: "google-relay"},
		{title: "Amazon SES", preset: "ses"},
		{title: "SendGrid", preset: "sendgrid"},
		{title: "Mailgun", preset: "mailgun"},
		{title: "Fastmail", preset: "fastmail"},
	}
}

// serverAnswers are what a person said of a server.
type serverAnswers struct {
	way
	which    int // of ways
	host     string
	port     int
	tls      string // empty: as is usual at the port
	login    string
	password string
	old      config.Secret // that the configuration has, if it is one that is changed
	via      bool          // it is an account that all mail goes by
	keep     bool          // of a configuration that is changed: as it is
	lax      bool          // also without verified TLS
	failed   string        // why it did not pass the test; empty: it did, or there was none
	client   string
	secret   string // file
}

// askServer asks for the nth server, with what was said before as a proposal, and tests
// it, until it works or is to stay as it is.
func (s *dialogue) askServer(n int, v *serverAnswers) error {
	s.servers = append(s.servers, v)
	for again := true; again; {
		if err := s.askAnswers(n, v); err != nil {
			return err
		}
		var err error
		if again, err = s.tryServer(n, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *dialogue) askAnswers(n int, v *serverAnswers) error {
	var titles []string
	for _, w := range ways() {
		titles = append(titles, w.title)
	}
	i, err := s.Choose(fmt.Sprintf("Server %d: how does mail go out?", n), titles, v.which)
	if err != nil {
		return err
	}
	if i != v.which {
		*v = serverAnswers{which: i}
	}
	v.way = ways()[i]
	if v.auth != "" {
		return s.askAccount(v)
	}
	if err := s.askHost(n, v); err != nil {
		return err
	}
	return s.askLogin(n, v)
}

// askHost asks for the address, unless the preset knows it.
func (s *dialogue) askHost(n int, v *serverAnswers) error {
	host := func(text string) error {
		return config.Setting{Section: "server", N: n, Key: "host", Value: text}.Check()
	}
	var err error
	switch v.preset {
	case "":
		if v.host, err = s.Ask("Its name or IP address", v.host, host); err != nil {
			return err
		}
		return s.askPort(v)
	case "ses":
		s.Say("Amazon SES has a host in each region, such as email-smtp.eu-west-1.amazonaws.com.")
		v.host, err = s.Ask("The one of your account", v.host, host)
	case "mailgun":
		return s.askRegion(v)
	}
	return err
}

// askRegion: Mailgun's domains are in one of two regions, each with its host.
func (s *dialogue) askRegion(v *serverAnswers) error {
	eu, err := s.Yes("Is your Mailgun domain in the EU region?", v.host != "")
	if v.host = ""; eu {
		v.host = "smtp.eu.mailgun.org"
	}
	return err
}

func (s *dialogue) askPort(v *serverAnswers) error {
	normal := "587"
	if v.port > 0 {
		normal = strconv.Itoa(v.port)
	}
	text, err := s.Ask("Its port (587 or 465 with a login, 25 in your own network)", normal, func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be a whole number")
		}
		return config.Setting{Section: "server", N: 1, Key: "port", Value: n}.Check()
	})
	if err != nil {
		return err
	}
	was := v.port
	v.port, _ = strconv.Atoi(text)
	return s.askTLS(v, was)
}

// askTLS asks how TLS begins at a port of which that is not known.
func (s *dialogue) askTLS(v *serverAnswers, was int) error {
	switch v.port {
	case 25, 465, 587:
		if v.port != was {
			v.tls = ""
		}
		return nil
	}
	implicit, err := s.Yes("Does TLS begin with the connection there, as at port 465? (no: by STARTTLS)", v.tls == config.Implicit)
	if v.tls = ""; implicit {
		v.tls = config.Implicit
	}
	return err
}

// askLogin asks for user name and password; both may be missing.
func (s *dialogue) askLogin(n int, v *serverAnswers) error {
	question, normal := "User name there (- if it wants none)", v.login
	switch {
	case normal != "":
	case v.preset == "sendgrid":
		normal = "apikey" // with SendGrid it is this word
	case v.preset == "gmail" || v.preset == "fastmail":
		normal = s.address
	case v.preset == "" || v.preset == "google-relay":
		normal = "-"
	}
	login, err := s.Ask(question, normal, func(text string) error {
		if text == "" {
			return errors.New("must be a user name, or - for none")
		}
		return config.Setting{Section: "server", N: n, Key: "login", Value: text}.Check()
	})
	if err != nil {
		return err
	}
	if login == "-" {
		v.login, v.password, v.old = "", "", config.Secret{}
		return nil
	}
	v.login = login
	return s.askPassword(v)
}

func (s *dialogue) askPassword(v *serverAnswers) error {
	switch v.preset {
	case "gmail":
		s.Say("Google takes an app password, not your own: myaccount.google.com/apppasswords")
	case "fastmail":
		s.Say("Fastmail takes an app password, not your own: Settings, Privacy & Security")
	case "sendgrid":
		s.Say("The password is the API key.")
	}
	question := "Password (it is not shown; Enter: later)"
	if v.password != "" || v.old.IsSet() {
		question = "Password (it is not shown; Enter: the same)"
	}
	password, err := s.Secret(question)
	if password != "" || err != nil {
		v.password = password
	}
	return err
}

// askAccount asks for the client that signs in.
func (s *dialogue) askAccount(v *serverAnswers) error {
	s.Say("Signing in needs an OAuth client of your organization: notices-google(7) tells\nhow to get one. It can be filled in later.")
	client, err := s.Ask("Client ID, or the JSON file that Google gives (Enter: later)", v.client, anything)
	if err != nil {
		return err
	}
	v.client, v.secret = client, ""
	if strings.HasSuffix(client, ".json") {
		v.client, v.secret = "", client
		return nil
	}
	if client != "" {
		v.secret, err = s.Ask("File with the client's secret (Enter: none)", v.secret, anything)
	}
	return err
}

// put writes the answers into a draft. password: into a file of its own, too.
func (v *serverAnswers) put(d *draft, n int, sole, password bool) {
	if v.keep && (sole || !v.via) {
		return
	}
	if v.auth != "" {
		v.putAccount(d, n, sole)
		return
	}
	d.putServer(n, "auth", "")
	d.putServer(n, "preset", v.preset)
	d.putServer(n, "host", v.host)
	d.putServer(n, "port", v.port)
	d.putServer(n, "tls", v.tls)
	d.putServer(n, "allow_non_secure", v.lax)
	d.putServer(n, "allow_non_secure_login", v.lax && v.login != "")
	d.putServer(n, "login", v.login)
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
func (v *serverAnswers) putAccount(d *draft, n int, sole bool) {
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

// tryServer sends a test message through the server, as test-server does. again: the
// answers are to be asked for once more.
func (s *dialogue) tryServer(n int, v *serverAnswers) (again bool, err error) {
	if v.auth != "" || v.login != "" && v.password == "" && !v.old.IsSet() {
		return false, nil // it cannot be tested yet
	}
	test, err := s.Yes(fmt.Sprintf("Test server %d now? A test message goes to %s.", n, s.address), true)
	for err == nil && test {
		err = s.probe(n, v)
		var failed *probe.Error
		v.failed = ""
		if !errors.As(err, &failed) {
			return false, err
		}
		v.failed = failed.Outcome.Reply.String()
		var what string
		if what, err = s.askWhatNow(v, failed.Outcome.Reason == spool.ReasonTLS); err != nil {
			return false, err
		}
		switch what {
		case change:
			return true, nil
		case keep:
			return false, nil
		case relax:
			v.lax = true
		}
	}
	return false, err
}

// What can be done about a server that does not work.
const (
	change = "change the answers"
	repeat = "try it once more as it is"
	keep   = "keep it as it is"
	relax  = "use it without verified TLS: others on the way could read the mail"
)

func (s *dialogue) askWhatNow(v *serverAnswers, tls bool) (string, error) {
	if s.ctx.Err() != nil {
		return "", term.ErrStopped
	}
	options := []string{change, repeat, keep}
	if tls && !v.lax {
		options = append(options, relax)
	}
	i, err := s.Choose("It did not work. What now?", options, 0)
	if err != nil {
		return "", err
	}
	return options[i], nil
}

// probe runs the steps of test-server on a server that is in no file yet.
func (s *dialogue) probe(n int, v *serverAnswers) error {
	d := &draft{path: s.path, old: s.oldText}
	s.putSite(d)
	for i, v := range s.servers[:n-1] {
		if v.auth != "" { // it is not of interest here
			v = &serverAnswers{host: "unused.invalid"}
		}
		v.put(d, i+1, false, false)
	}
	v.put(d, n, false, false)
	cfg, err := d.config()
	if cfg == nil {
		return err
	}
	server, err := s.server(&cfg.Servers[n-1], s.p.FindHostname(cfg, true))
	if err != nil {
		return err
	}
	switch {
	case v.keptSecret():
		server.Password = v.old.Read
	case v.login != "":
		server.Password = func(context.Context) (string, error) { return v.password, nil }
	}
	s.Newline()
	err = probe.Run(s.ctx, server.Server, probe.Options{
		To: s.address, From: s.address, Site: s.name, State: &s.results, Now: s.p.Now,
		Print: s.SayWrapped,
	})
	s.Newline()
	return err
}

// heldResults are the results of tests until the configuration is written: the spool, where
// status finds them, may belong to another user than the one who sets it up.
type heldResults map[string][]byte

func (r *heldResults) Load(_ context.Context, key string) ([]byte, error) { return (*r)[key], nil }

func (r *heldResults) Update(_ context.Context, key string, _ bool, change func([]byte) ([]byte, error)) error {
	value, err := change((*r)[key])
	if err != nil {
		return err
	}
	if *r == nil {
		*r = heldResults{}
	}
	(*r)[key] = value
	return nil
}

// keepResults writes them into the spool. Root becomes its owner for that, so this comes
// last.
func (s *dialogue) keepResults() error {
	if len(s.results) == 0 {
		return nil
	}
	cfg, err := config.Load(s.path)
	if err != nil {
		return err
	}
	if err := s.p.BecomeOwner(cfg); err != nil {
		return err
	}
	store, err := s.p.OpenStore(cfg)
	if err != nil {
		return err
	}
	for key, value := range s.results {
		if err == nil {
			err = store.State().Update(s.ctx, key, true, func([]byte) ([]byte, error) { return value, nil })
		}
	}
	return errors.Join(err, store.Close())
}
