package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/cmd/notices/database"
	"notices/cmd/notices/dkimkey"
	"notices/cmd/notices/returned"
	"notices/cmd/notices/serving"
	"notices/cmd/notices/setup"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/status"
	"notices/config"
	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/drop"
	"notices/spool/maildir"
	"notices/spool/postgres"
	"notices/spool/printable"
	"notices/spool/recode"
	"notices/spool/route"
)

func checkCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the config and say all that is wrong with it",
		Args:  noArgs,
		RunE:  a.runE(func(ctx context.Context, _ []string) error { return (&checker{a: a}).run(ctx) }),
	}
}

// checker says what is wrong, each thing once: what a key names is checked when the config
// is read, and again when it is used.
type checker struct {
	a       *cli
	said    []string
	keys    []string // that something was said about
	owner   string   // of the spool, if that is another user
	denied  bool     // something could not be checked: it is the owner's
	reading bool     // the config; afterwards nothing more is said about a key
	answers string   // the database that is the spool
	waits   string   // mail in the folder beside it
	failed  int      // the exit status for what is wrong with the database: the config may be right
}

// run checks everything that flush will need except the servers themselves, and says all
// that is wrong, not only the first error.
func (c *checker) run(ctx context.Context) error {
	path, err := config.Find(c.a.Config, c.a.Getenv)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path)
	if errors.As(err, new(config.Problems)) {
		// The readable part is checked too.
		if readable, e := config.LoadFor(path, config.Intake); e == nil {
			cfg = readable
		}
	}
	if cfg != nil {
		c.owner = spoolOfAnother(cfg)
	}
	c.reading = true
	c.add(err)
	if c.reading = false; cfg != nil {
		c.certificate(cfg) // which serve reads as the user who starts it
		// From here on it checks as the user that the spool belongs to.
		if err := c.a.BecomeOwner(cfg); err != nil {
			c.add(err)
		} else {
			c.add(readAgain(path))
			c.parts(ctx, cfg)
		}
	}
	if c.denied {
		c.a.Say("this user may not look at all that %s names; run: sudo -u %s notices --config %s check", path, c.owner, printable.ShellQuote(path))
	}
	if c.waits != "" {
		fmt.Fprintln(c.a.Stdout, c.waits)
	}
	switch {
	case c.failed != app.ExitOK && len(c.said) == 1:
		return &app.Failure{Code: c.failed}
	case len(c.said) > 0:
		return &app.Failure{Code: app.ExitConfig}
	case c.denied:
		return &app.Failure{Code: app.ExitPermission}
	}
	if c.answers != "" {
		fmt.Fprintf(c.a.Stdout, "the spool: %s; all that is needed may be read and written\n", c.answers)
	}
	printPresets(c.a.Stdout, cfg)
	found := remarks(c.a, cfg)
	if text := dkimkey.OtherDomain(cfg); text != "" {
		found = append(found, text)
	}
	if text := dkimkey.Remark(ctx, cfg, c.a.Host.LookupTXT); text != "" {
		found = append(found, text)
	}
	for _, text := range found {
		c.a.Say("%s: nothing in it is wrong, but %s", cfg.Path, text)
	}
	if len(found) == 0 {
		_, err = fmt.Fprintf(c.a.Stdout, "%s is in order\n", cfg.Path)
	}
	return err
}

// add says an error, or each of several that are joined; nil is no error.
func (c *checker) add(err error) {
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
	if e := (*config.Error)(nil); errors.As(err, &e) && e.Key != "" {
		if !c.reading && slices.Contains(c.keys, e.Key) {
			return
		}
		c.keys = append(c.keys, e.Key)
	}
	if text := app.Explain(err); !slices.Contains(c.said, text) {
		c.said = append(c.said, text)
		c.a.Say("%s", text)
	}
}

// parts checks secrets, CA files, spool and log.
func (c *checker) parts(ctx context.Context, cfg *config.Config) {
	for i := range cfg.Servers {
		if s := &cfg.Servers[i]; s.Login != "" && s.Auth == config.AuthPassword {
			_, err := s.Password.Read(ctx)
			c.add(err)
		}
	}
	if cfg.Service.Key.IsSet() {
		_, err := cfg.Service.Key.Read(ctx)
		c.add(err)
	}
	if cfg.Bounces.Imap != "" {
		c.bounces(ctx, cfg)
	}
	servers, err := c.a.allServers(cfg)
	c.add(err)
	if from := cfg.Site.Address; from != "" && len(servers) > 0 && !route.AnyTakes(servers, from) {
		c.add(&config.Error{File: cfg.Path, Key: "[site] address", Msg: route.NoServerText(from)})
	}
	c.add(checkLimits(cfg))
	for _, name := range signin.Names() {
		if account := cfg.Account(name); account.ClientSecretFile.IsSet() {
			_, err := account.ClientSecretFile.Read(ctx)
			c.add(err)
		}
	}
	log, err := c.a.LogOptions(cfg).Open()
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		c.add(fmt.Errorf("%s: [log] to: %w", cfg.Path, err))
	}
	switch err := c.spool(ctx, cfg); {
	case err == nil:
	case cfg.Spool.Database.IsSet():
		c.database(cfg, err)
	default:
		c.add(fmt.Errorf("%s: [spool] dir: %w", cfg.Path, err))
	}
}

// certificate checks that certificate and key of [serve] belong together. Whether the files are
// there was checked as the config was read.
func (c *checker) certificate(cfg *config.Config) {
	s := &cfg.Serve
	if s.CertFile == "" || s.KeyFile == "" {
		return
	}
	if _, err := serving.LoadCertificate(s.CertFile, s.KeyFile, c.a.Now); err != nil && !errors.Is(err, fs.ErrPermission) {
		c.add(cfg.Fault("serve", 0, "cert_file", err))
	}
}

// bounces checks what read-bounces needs.
func (c *checker) bounces(ctx context.Context, cfg *config.Config) {
	c.add(returned.NeedsHistory(cfg))
	if b := &cfg.Bounces; b.Password.IsSet() {
		_, err := b.Password.Read(ctx)
		c.add(err)
	}
	if cfg.Bounces.CAFile != "" {
		_, err := bounceRoots(cfg)
		c.add(err)
	}
}

func (c *checker) spool(ctx context.Context, cfg *config.Config) error {
	if cfg.Spool.Buffer && c.a.Store == nil {
		c.buffer(ctx, cfg)
	}
	store, err := c.a.OpenStore(cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	if s, ok := store.(*postgres.Store); ok {
		if c.answers, err = s.Server(ctx); err != nil {
			return err
		}
	}
	if e := status.CheckHistory(store); e != nil {
		c.a.Say("the history cannot be read or written, mail is not affected: %s", e)
	}
	_, err = spool.LoadState[spool.Stuck](ctx, store.State(), spool.StuckName)
	if c.a.Store == nil && dropPossible(cfg) {
		e := drop.Check(cfg.Spool.Dir)
		if junk := (*drop.Problem)(nil); errors.As(e, &junk) && junk.Junk {
			c.a.Say("%s", junk) // somebody left there what is not mail; the set-up is not wrong
			e = nil
		}
		if e != nil && cfg.Spool.Database.IsSet() { // drop/ is in the folder
			c.add(fmt.Errorf("%s: [spool] dir: %w", cfg.Path, e))
			e = nil
		}
		err = errors.Join(err, e)
	}
	return errors.Join(store.Writable(ctx), err)
}

// buffer checks the folder that takes mail in while the database cannot be reached.
func (c *checker) buffer(ctx context.Context, cfg *config.Config) {
	var w buffer.Waiting
	folder, err := maildir.Open(cfg.Spool.Dir, maildir.Options{Now: c.a.Now, NoHistory: true})
	if err == nil {
		w, err = buffer.Count(ctx, cfg.Spool.Dir, folder)
		err = errors.Join(folder.Writable(ctx), err, folder.Close())
	}
	if err != nil {
		c.add(fmt.Errorf("%s: [spool] dir: %w", cfg.Path, err))
	}
	switch {
	case w.Messages > 0:
		c.waits = database.Text(w, c.a.Now())
	case err == nil:
		c.waits = cfg.Spool.Dir + " takes mail in while the database cannot be reached; nothing waits in it"
	}
}

// readAgain reads the config as flush will: root has become the user that flush runs as, who
// cannot use a file that only root may read.
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

// spoolOfAnother names the user that the spool belongs to, if that is neither this user
// nor root, and this user is not root: then a file that only the service can read is not an
// error.
func spoolOfAnother(cfg *config.Config) string {
	var st unix.Stat_t
	if os.Geteuid() == 0 || unix.Stat(cfg.Spool.Dir, &st) != nil || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return ""
	}
	return setup.UserName(int(st.Uid))
}

// remarks are about what is not wrong in [site] and yet will cost mail.
func remarks(a *cli, cfg *config.Config) (list []string) {
	if cfg.Site.Address == "" {
		list = append(list, "[site] address is not set: without it, mail that names no sender is refused, and test-server has nowhere to send to")
	}
	if recode.NeedsUTF8(cfg.Site.Address) {
		list = append(list, "[site] address has letters before the @ that only servers with SMTPUTF8 take: all others refuse mail from it and to it. "+
			"If you have one with only the letters a-z, set that")
	}
	if name := cfg.Site.Hostname; name != "" && !strings.ContainsAny(name, ".:") {
		list = append(list, fmt.Sprintf("[site] hostname %q is not a full name: set it to a name that mail servers find, such as mail.example.org. "+
			"Some reject a machine that calls itself %s", name, name))
	}
	if a.FindHostname(cfg, true)() == "" {
		list = append(list, "[site] hostname is not set, and this machine has no full name: set it to a name that mail servers find, such as mail.example.org. "+
			"Without one this machine greets them with its address in brackets, which some reject")
	}
	return list
}

// printPresets shows what presets set, because the file does not show it.
func printPresets(w io.Writer, cfg *config.Config) {
	for i := range cfg.Servers {
		if s := &cfg.Servers[i]; s.Preset != "" {
			sets := cmp.Or(strings.Join(s.FromPreset, ", "), "nothing, all of it is set in the file")
			fmt.Fprintf(w, "server %s, preset %q: %s\n", s.Name, s.Preset, sets)
		}
	}
}
