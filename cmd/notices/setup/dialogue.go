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
	"notices/spool/printable"
	"notices/spool/route"
)

// dialogue is what that sets a site up. Nothing is on disk until all is said.
type dialogue struct {
	*term.Prompter
	ctx     context.Context
	p       *app.Program
	server  func(c *config.Server, hello func() string) (route.Server, error)
	path    string
	replace bool
	old     *config.Config // what is there and is changed; nil: a new one
	oldText []byte
	name    string
	address string
	servers []*serverAnswers
	results heldResults
	user    *user.User // who is to run it; nil: whoever runs this
}

// setUp asks, tests, and writes a config.
func setUp(ctx context.Context, p *app.Program, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := &dialogue{Prompter: term.NewPrompter(ctx, p), ctx: ctx, p: p, server: o.Server, path: o.Path}
	err := s.talk()
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

func (s *dialogue) talk() error {
	s.Say("This sets up notices and writes %s.\n"+
		"Enter takes what stands in [brackets]. Ctrl-C stops it: nothing is written\nbefore the end.", s.path)
	if exists(s.path) {
		if err := s.askExisting(); err != nil {
			return err
		}
	}
	if err := s.askSite(); err != nil {
		return err
	}
	s.Heading("The mail server")
	n, err := s.askOldServers()
	if err == nil && n == 0 {
		n, err = 1, s.askServer(1, &serverAnswers{})
	}
	if err != nil {
		return err
	}
	for n++; ; n++ {
		more, err := s.Yes("A further server, for when the others fail?", false)
		if err != nil {
			return err
		}
		if !more {
			return s.askUser()
		}
		if err := s.askServer(n, &serverAnswers{}); err != nil {
			return err
		}
	}
}

func (s *dialogue) askSite() error {
	site := func(key string) func(string) error {
		return func(text string) error {
			if err := something(text); err != nil {
				return err
			}
			return config.Setting{Section: "site", Key: key, Value: text}.Check()
		}
	}
	s.Heading("The site")
	if s.old != nil {
		s.name, s.address = s.old.Site.Name, s.old.Site.Address
	}
	var err error
	if s.name, err = s.Ask("Name of your library or school", s.name, site("name")); err != nil {
		return err
	}
	s.address, err = s.Ask("Its e-mail address, the sender of its mail", s.address, site("address"))
	return err
}

// askUser asks root who is to run notices: the files must be that user's.
func (s *dialogue) askUser() error {
	if s.path != config.SystemFile || os.Geteuid() != 0 {
		return nil
	}
	normal := "root"
	if owner, err := user.LookupId(strconv.Itoa((&draft{path: s.path}).spoolOwner())); err == nil {
		normal = owner.Username
	}
	name, err := s.Ask("Which user is to run notices", normal, func(text string) error {
		if _, err := user.Lookup(text); err != nil {
			return errors.New("must be a user of this machine; useradd --system makes one")
		}
		return nil
	})
	if err == nil {
		s.user, err = user.Lookup(name)
	}
	return err
}

func (s *dialogue) putSite(d *draft) {
	d.put("site", "name", s.name)
	d.put("site", "address", s.address)
}

func (s *dialogue) write() (*draft, error) {
	d := &draft{path: s.path, replace: s.replace, old: s.oldText}
	s.putSite(d)
	sole := len(s.servers) == 1
	if s.old != nil && s.old.Delivery.Via != config.ViaServers && !(sole && s.servers[0].auth != "") {
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

// whatNext says what was written and what is left to do.
func (s *dialogue) whatNext(d *draft) {
	s.Heading("Done")
	if d.moved != "" {
		s.Say("The configuration as it was is now %s.", d.moved)
	}
	s.Say("%s is written.", d.path)
	for _, f := range d.secrets {
		s.Say("%s has the password of server %d; only %s can read it.", f.path, f.server, d.ownerName())
	}
	s.sayFailed()
	if (s.old == nil || s.old.Site.Hostname == "") && s.p.Host.FullName(true) == "" {
		s.SayWrapped(noFullName)
	}
	s.Newline()
	s.Say("Next:")
	call := s.call()
	for i, v := range s.servers {
		switch {
		case v.auth != "" && v.client == "" && v.secret == "":
			s.Say("  - fill in client_id in [%s], see notices-google(7); then run:\n      %s %s-login", v.auth, call, v.auth)
		case v.auth != "":
			s.Say("  - sign in:\n      %s %s-login", call, v.auth)
		case v.login != "" && v.password == "" && !v.keptSecret():
			s.Say("  - give server %d its password: password_file in %s", i+1, d.path)
		}
	}
	s.Say("  - see that all is in order:\n      %s check\n      %s test-server", call, call)
	s.sayCron()
	s.Say("  - queue a message:\n      %s enqueue patron@example.net < notice.eml", call)
}

// sayFailed says which servers did not pass their test, and what that means.
func (s *dialogue) sayFailed() {
	for i, v := range s.servers {
		if v.failed != "" {
			s.SayWrapped(fmt.Sprintf("Server %d failed its test: %s. No mail goes out through it until that is mended; then run: %s test-server %d",
				i+1, strings.TrimRight(v.failed, "."), s.call(), i+1))
		}
	}
}

// call is the program with what it needs to find the config.
func (s *dialogue) call() string {
	call := "notices" + s.option()
	if s.user != nil && s.user.Uid != "0" {
		call = "sudo -u " + s.user.Username + " " + call
	}
	return call
}

// option is --config, where the config is not found without it. Its path is whole: cron
// and sudo may start in another folder.
func (s *dialogue) option() string {
	path := s.path
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	if usual, err := config.Find("", os.Getenv); err == nil && usual == path && os.Getenv("NOTICES_CONFIG") == "" {
		return ""
	}
	return " --config " + printable.ShellQuote(path)
}

// sayCron gives the line that makes mail go out by itself.
func (s *dialogue) sayCron() {
	line := cronLine(printable.ShellQuote(programPath()) + s.option() + " flush")
	if s.user != nil {
		s.Say("  - let it run every minute, by this line in /etc/cron.d/notices:\n      * * * * * %s %s", s.user.Username, line)
		return
	}
	s.Say("  - let it run every minute, by this line in crontab -e:\n      * * * * * %s", line)
}

// cronLine is a command in a crontab, where a % ends it.
func cronLine(command string) string { return strings.ReplaceAll(command, "%", `\%`) }

// programPath is how this program was called, with its whole path: the PATH of cron is
// short. What runs may be the full program behind the small one that was called.
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

// anything is a check that is always content; something wants more than nothing.
func anything(string) error { return nil }

func something(s string) error {
	if s == "" {
		return errors.New("is needed")
	}
	return nil
}
