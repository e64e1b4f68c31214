package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/config/document"
	"notices/spool/printable"
	"notices/spool/route"
)

// dialogue sets a site up. It writes nothing before the last answer. A second run starts from
// the existing configuration: Enter takes its values, and what the dialogue does not ask for
// stays, comments too.
type dialogue struct {
	*term.Prompter
	ctx     context.Context
	p       *app.Program
	server  func(c *config.Server, hello func() string) (route.Server, error)
	path    string
	replace bool
	old     *config.Config // that is changed; nil: a new one is made
	oldText []byte
	name    string
	address string
	servers []*answers
	results heldResults
	user    *user.User // who will run notices; nil: the user who runs init
}

// runDialogue asks, tests, and writes a config.
func runDialogue(ctx context.Context, p *app.Program, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := &dialogue{Prompter: term.NewPrompter(ctx, p), ctx: ctx, p: p, server: o.Server, path: o.Path}
	err := s.askAll()
	var d *draft
	if err == nil && ctx.Err() == nil {
		d, err = s.write()
	}
	switch {
	case errors.Is(err, term.ErrStopped), d == nil && ctx.Err() != nil:
		return app.Fail(app.ExitTryLater, "stopped; nothing was written")
	case err != nil:
		return err
	}
	s.whatNext(d)
	if err := s.keepResults(); err != nil {
		s.SayWrapped(fmt.Sprintf("The results of the tests could not be kept for notices status: %s", app.Explain(err)))
	}
	return nil
}

func (s *dialogue) askAll() error {
	s.Say("This sets up notices and writes %s.\n"+
		"Enter takes what stands in [brackets]. Ctrl-C stops it: nothing is written\nbefore the end.", s.path)
	if exists(s.path) {
		if err := s.askExisting(); err != nil {
			return err
		}
	}
	s.askSite()
	s.Heading("The mail server")
	if s.askOldServers(); len(s.servers) == 0 {
		s.askServer(&answers{})
	}
	for !s.usesService() && s.Yes("A further server, for when the others fail?", false) && s.Err == nil {
		s.askServer(&answers{})
	}
	s.askUser()
	return s.Err
}

// askExisting asks whether to change the existing configuration, or to make a new one and
// keep the old one beside it.
func (s *dialogue) askExisting() error {
	why, err := s.readExisting()
	if err != nil {
		return err
	}
	if why == "" {
		s.replace = s.Yes("That file is there already. Change it? Enter then takes what stands there, and a copy\nof it as it is now is kept beside it.", true)
	} else {
		s.replace = s.Yes("That file is there already"+why+"\nMake a new one? The old one is kept beside it.", false)
	}
	if s.Err == nil && !s.replace {
		return alreadyThere(s.path)
	}
	return s.Err
}

// readExisting reads the existing configuration. why says why the dialogue cannot start from
// it, if it cannot.
func (s *dialogue) readExisting() (why string, err error) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return "", cannotMake(s.path, err)
	}
	cfg, err := config.Parse(s.path, text)
	if cfg == nil {
		return fmt.Sprintf(" and cannot be read: %s.", err), nil
	}
	trial := []config.Setting{{Section: "site", Key: "name", Value: "x"}, {Section: "server", N: len(cfg.Servers) + 1, Key: "host", Value: "x"}}
	if _, err := document.Edit(text, trial, nil); err != nil {
		return " and " + document.ErrForm.Error() + ".", nil
	}
	if cfg.Delivery.Via == config.ViaService {
		return "; it sends through the service of [service], which is set there by hand.", nil
	}
	if cfg.Delivery.Via != config.ViaServers && len(cfg.Servers) > 0 {
		return "; it has servers beside via = \"" + cfg.Delivery.Via + "\".", nil
	}
	s.old, s.oldText = cfg, text
	return "", nil
}

func (s *dialogue) askSite() {
	site := func(key string) func(string) error {
		return func(text string) error {
			if text == "" {
				return errors.New("is needed")
			}
			return config.Check(config.Setting{Section: "site", Key: key, Value: text})
		}
	}
	s.Heading("The site")
	if s.old != nil {
		s.name, s.address = s.old.Site.Name, s.old.Site.Address
	}
	s.name = s.Ask("Name of your library or school", s.name, site("name"))
	s.address = s.Ask("Its e-mail address, the sender of its mail", s.address, site("address"))
}

// askUser asks root which user will run notices: the files must belong to that user.
func (s *dialogue) askUser() {
	if s.path != config.SystemFile || os.Geteuid() != 0 {
		return
	}
	normal := "root"
	if owner, err := user.LookupId(strconv.Itoa((&draft{path: s.path}).spoolOwner())); err == nil {
		normal = owner.Username
	}
	s.Ask("Which user is to run notices", normal, func(text string) (err error) {
		if s.user, err = user.Lookup(text); err != nil {
			return errors.New("must be a user of this machine; useradd --system makes one")
		}
		return nil
	})
}

func (s *dialogue) putSite(d *draft) {
	d.put("site", "name", s.name)
	d.put("site", "address", s.address)
}

func (s *dialogue) write() (*draft, error) {
	d := &draft{path: s.path, replace: s.replace, old: s.oldText}
	s.putSite(d)
	sole := len(s.servers) == 1
	if s.old != nil && s.old.Delivery.Via != config.ViaServers && !(sole && s.servers[0].auth != "") && !s.usesService() {
		d.put("delivery", "via", config.ViaServers)
	}
	for i, v := range s.servers {
		v.put(d, i+1, sole, true)
	}
	d.owner = d.spoolOwner()
	if s.user != nil {
		d.owner, _ = strconv.Atoi(s.user.Uid)
	}
	return d, d.write()
}

// whatNext says what was written and what to do next.
func (s *dialogue) whatNext(d *draft) {
	option := configOption(s.path)
	call, cron := "notices"+option, "crontab -e:\n      * * * * *"
	if s.user != nil {
		cron = "/etc/cron.d/notices:\n      * * * * * " + s.user.Username
		if s.user.Uid != "0" {
			call = "sudo -u " + s.user.Username + " " + call
		}
	}
	s.Heading("Done")
	if d.moved != "" {
		s.Say("The configuration as it was is now %s.", d.moved)
	}
	s.Say("%s is written.", d.path)
	for _, f := range d.secrets {
		what := fmt.Sprintf("the password of server %d", f.server)
		if f.server == 0 {
			what = "the site's key"
		}
		s.Say("%s has %s; only %s can read it.", f.path, what, d.ownerName())
	}
	for i, v := range s.servers {
		if v.failed != "" {
			s.SayWrapped(fmt.Sprintf("The test of %s failed: %s. It sends no mail until this is fixed; then run: %s test-server %s",
				v.called(i+1), strings.TrimRight(v.failed, "."), call, v.tested(i+1)))
		}
	}
	if (s.old == nil || s.old.Site.Hostname == "") && s.p.Host.FullName(true) == "" {
		s.SayWrapped(noFullName)
	}
	s.Newline()
	s.Say("Next:")
	for i, v := range s.servers {
		switch {
		case v.auth != "" && v.client == "" && v.secret == "":
			s.Say("  - fill in client_id in [%s], see notices-google(7); then run:\n      %s %s-login", v.auth, call, v.auth)
		case v.auth != "":
			s.Say("  - sign in:\n      %s %s-login", call, v.auth)
		case v.service && v.password == "":
			s.Say("  - write the site's key into %s, which only %s may read", v.keyFile, d.ownerName())
		case v.service:
		case v.user != "" && v.password == "" && !v.keptSecret():
			s.Say("  - give server %d its password: password_file in %s", i+1, d.path)
		}
	}
	s.Say("  - see that all is in order:\n      %s check\n      %s test-server", call, call)
	line := strings.ReplaceAll(printable.ShellQuote(programPath())+option+" flush", "%", `\%`) // a % ends the command
	s.Say("  - let it run every minute, by this line in %s %s", cron, line)
	s.Say("  - queue a message:\n      %s enqueue patron@example.net < notice.eml", call)
}

// configOption is --config, where the config is not found without it. The path is absolute:
// cron and sudo may start in another folder.
func configOption(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if usual, err := config.Find("", os.Getenv); err == nil && usual == path && os.Getenv("NOTICES_CONFIG") == "" {
		return ""
	}
	return " --config " + printable.ShellQuote(path)
}

// programPath is the absolute path of the program that was called: the PATH of cron is short. What runs may be the full program behind the small one that was called.
func programPath() string {
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err == nil {
		return called
	}
	self, err := os.Executable()
	if err != nil {
		return "notices"
	}
	if small := filepath.Join(filepath.Dir(self), "notices"); filepath.Base(self) == "notices-full" && exists(small) {
		return small
	}
	return self
}

// heldResults holds the results of tests until the configuration is written: the spool, where
// status finds them, may belong to another user than the one who runs init.
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

// keepResults writes the results into the spool. Root becomes its owner for that, so this is
// the last step.
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
