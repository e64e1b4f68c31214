package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/setup"
	"notices/cmd/notices/signin"
	"notices/config"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
	"notices/spool/route"
)

func checkCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the config and say all that is wrong with it",
		Args:  noArgs,
		RunE:  a.does(func(ctx context.Context, _ []string) error { return a.check(ctx) }),
	}
}

// check looks at everything that flush will need but the servers themselves, and
// tells all that is wrong, not the first only.
func (a *cli) check(ctx context.Context) error {
	path, err := config.Find(a.Config, a.Getenv)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path)
	var problems config.Problems
	if errors.As(err, &problems) {
		// All that can be read is read nevertheless, to tell what is wrong with it too.
		if readable, e := config.LoadFor(path, config.Intake); e == nil {
			cfg = readable
		}
	}
	c := &complaints{a: a, said: map[string]bool{}, keys: map[string]bool{}}
	if cfg != nil {
		c.owner = spoolOfAnother(cfg)
	}
	c.add(err)
	if c.used = true; cfg != nil {
		// From here on it looks with the eyes of the user that the spool belongs to.
		if err := a.BecomeOwner(cfg); err != nil {
			c.add(err)
		} else {
			c.add(readAgain(path))
			a.checkParts(ctx, cfg, c)
		}
	}
	if c.denied {
		a.Say("this user may not look at all that %s names; run: sudo -u %s notices --config %s check", path, c.owner, printable.ShellQuote(path))
	}
	switch {
	case len(c.said) > 0:
		return &app.Failure{Code: app.ExitConfig}
	case c.denied:
		return &app.Failure{Code: app.ExitPermission}
	}
	return a.sayInOrder(cfg)
}

// readAgain reads the config as flush will: by now root is the user that flush runs as, and
// what only root may read is of no use to that user.
func readAgain(path string) error {
	_, err := config.Load(path)
	var e *config.Error
	if !errors.As(err, &e) || e.Key != "" || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	name := setup.UserName(os.Geteuid())
	what := fmt.Sprintf("%s cannot be read by user %s, who sends the mail", path, name)
	if _, err := os.Stat(path); err != nil {
		return app.Fail(app.ExitConfig, "%s: that user may not enter a folder on the way; run as root: chmod a+x %s", what, printable.ShellQuote(closedFolder(path)))
	}
	return app.Fail(app.ExitConfig, "%s; run as root: chown %s %s", what, name, printable.ShellQuote(path))
}

// closedFolder is the first folder on the way to a path that this user may not enter.
func closedFolder(path string) string {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err == nil || dir == path {
		return dir
	}
	return closedFolder(dir)
}

// sayInOrder says that nothing is wrong, or what may be left out and is missed sooner or
// later.
func (a *cli) sayInOrder(cfg *config.Config) error {
	if err := a.printPresets(cfg); err != nil {
		return err
	}
	if a.remarks(cfg) {
		return nil
	}
	_, err := fmt.Fprintf(a.Stdout, "%s is in order\n", cfg.Path)
	return err
}

// spoolOfAnother names the user that the spool belongs to, if that is neither this user
// nor root, nor is this user root: what only the service can read is then no fault.
func spoolOfAnother(cfg *config.Config) string {
	info, err := os.Stat(cfg.Spool.Dir)
	if err != nil || os.Geteuid() == 0 {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return ""
	}
	return setup.UserName(int(st.Uid))
}

// remarks says what is no mistake and is missed sooner or later, and whether there is
// anything.
func (a *cli) remarks(cfg *config.Config) (any bool) {
	say := func(text string) {
		any = true
		a.Say("%s: nothing in it is wrong, but [site] %s", cfg.Path, text)
	}
	if cfg.Site.Address == "" {
		say("address is not set: set it, or mail without a sender of its own is refused, and test-server has nowhere to send to")
	}
	if recode.NeedsUTF8(cfg.Site.Address) {
		say("address has letters before the @ that only servers with SMTPUTF8 take: all others refuse mail from it and to it. " +
			"If there is one with the letters a-z alone, set that")
	}
	if name := cfg.Site.Hostname; name != "" && !strings.ContainsAny(name, ".:") {
		say(fmt.Sprintf("hostname %q is no full name: set it to a name that mail servers find, such as mail.example.org. "+
			"Some refuse a machine that calls itself %s", name, name))
	}
	if a.FindHostname(cfg, true)() == "" {
		say("hostname is not set, and this machine has no full name: set it to a name that mail servers find, such as mail.example.org. " +
			"Without one this machine greets them with its address in brackets, which some refuse")
	}
	return any
}

// printPresets shows what presets set: it stands nowhere in the file.
func (a *cli) printPresets(cfg *config.Config) error {
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		if s.Preset == "" {
			continue
		}
		sets := strings.Join(s.FromPreset, ", ")
		if sets == "" {
			sets = "nothing, all of it is set in the file"
		}
		if _, err := fmt.Fprintf(a.Stdout, "server %s, preset %q: %s\n", s.Name, s.Preset, sets); err != nil {
			return err
		}
	}
	return nil
}

// complaints says what is wrong, each thing once: what a key names is looked at when
// the config is read, and again when it is used.
type complaints struct {
	a      *cli
	said   map[string]bool
	keys   map[string]bool // that something was said of
	owner  string          // of the spool, if that is another user
	denied bool            // something was not looked at: it is the owner's
	used   bool            // from now on what is named is used: nothing new is said of a key
}

// add says an error, if it is one, or each of those that it is made of.
func (c *complaints) add(err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range many.Unwrap() {
			c.add(err)
		}
		return
	}
	if c.owner != "" && errors.Is(err, fs.ErrPermission) {
		c.denied = true
		return
	}
	text := app.Explain(err)
	var problem *config.Error
	if errors.As(err, &problem) && problem.Key != "" {
		if c.used && c.keys[problem.Key] {
			return
		}
		c.keys[problem.Key] = true
	}
	if !c.said[text] {
		c.said[text] = true
		c.a.Say("%s", text)
	}
}

// checkParts tries secrets, CA files, spool and log.
func (a *cli) checkParts(ctx context.Context, cfg *config.Config, c *complaints) {
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		if s.Login != "" && s.Auth == config.AuthPassword {
			_, err := s.Password.Read(ctx)
			c.add(err)
		}
	}
	servers, err := a.testable(cfg)
	c.add(err)
	c.add(checkSender(cfg, servers))
	c.add(checkLimits(cfg))
	for _, name := range signin.Names() {
		if account := cfg.Account(name); account.ClientSecretFile.IsSet() {
			_, err := account.ClientSecretFile.Read(ctx)
			c.add(err)
		}
	}
	log, err := a.LogOptions(cfg).Open()
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		c.add(fmt.Errorf("%s: [log] to: %w", cfg.Path, err))
	}
	if err := a.checkSpool(ctx, cfg); err != nil {
		c.add(fmt.Errorf("%s: [spool] dir: %w", cfg.Path, err))
	}
}

// checkSender wants a server for mail from the site's own address.
func checkSender(cfg *config.Config, servers []route.Server) error {
	if from := cfg.Site.Address; from != "" && len(servers) > 0 && !route.Takes(servers, from) {
		return &config.Error{File: cfg.Path, Key: "[site] address", Msg: route.UnnamedText(from)}
	}
	return nil
}

func (a *cli) checkSpool(ctx context.Context, cfg *config.Config) error {
	store, err := a.OpenStore(cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = spool.LoadState[spool.Stuck](ctx, store.State(), spool.StuckName)
	return errors.Join(store.Writable(ctx), err, a.checkDrop(cfg))
}
