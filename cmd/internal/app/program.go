package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"notices/config"
	"notices/spool"
	"notices/spool/drop"
	"notices/spool/intake"
	"notices/spool/maildir"
	"notices/spool/maillog"
	"notices/spool/printable"
)

// Program is what a run of either program works with.
type Program struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	Host   Host

	Config  string      // --config
	Verbose bool        // -v
	Store   spool.Store // nil: what the config names; a test's own
	// Started is the config that a notices serve began with. Its spool and its log stay in use, whatever
	// ReadConfig reads later. nil: each config is used whole.
	Started *config.Config
	Reuse   int // of a folder: maildir.Options
	// OpenDatabase opens the database that the config names. nil: this is the small program,
	// which does not link it.
	OpenDatabase func(*config.Config) (spool.Store, error)
	// OpenBuffered opens the database that the config names for mail that comes in, with the folder
	// that takes it while the database cannot be reached. nil where OpenDatabase is.
	OpenBuffered func(*config.Config, *maillog.Log) (intake.Store, error)

	// Notify takes what a person should hear; nil: it is said at once.
	Notify func(maillog.Notice)
}

// New is the Program of this process. It is called before any file is made, for it sets the
// umask: the owner of a file can always use it, whatever umask the process was started with.
func New() *Program {
	const usual = 0o022 // with which this is one call
	if old := unix.Umask(usual); old&^0o700 != usual {
		unix.Umask(old &^ 0o700)
	}
	return &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now, Host: thisHost()}
}

// Say prints a text for a person on standard error, "notices: " before each line.
func (p *Program) Say(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(p.Stderr, "notices: %s\n", printable.Text(strings.TrimSuffix(line, "\n")))
	}
}

// Report says what went wrong and returns the exit code for it.
func (p *Program) Report(err error) int {
	if f := (*Failure)(nil); !errors.As(err, &f) || f.Err != nil {
		p.Say("%s", Explain(err))
	}
	return ExitCode(err)
}

// Load finds and reads the config, and calls BecomeOwner. Only errors that need covers are
// refused.
func (p *Program) Load(need config.Need) (*config.Config, error) {
	cfg, err := p.ReadConfig(need)
	if err == nil && p.OpenDatabase == nil && cfg.Spool.Database.IsSet() {
		return nil, ErrDatabase // the full program begins with root's rights, as this one did
	}
	if err == nil {
		err = p.BecomeOwner(cfg)
	}
	return cfg, err
}

// ErrDatabase: the spool is a database, which is for the full program.
var ErrDatabase = errors.New("the spool is a database")

// ReadConfig is Load for a command that has something to open with root's rights before
// it calls BecomeOwner.
func (p *Program) ReadConfig(need config.Need) (*config.Config, error) {
	path, err := config.Find(p.Config, p.Getenv)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadFor(path, need)
	if err == nil && p.Started != nil {
		now := cfg.Spool
		cfg.Spool, cfg.Log = p.Started.Spool, p.Started.Log
		cfg.Spool.KeepFailed, cfg.Spool.KeepHistory = now.KeepFailed, now.KeepHistory // these may change at any time
	}
	return cfg, err
}

// OpenStore opens the spool.
func (p *Program) OpenStore(cfg *config.Config) (spool.Store, error) {
	if p.Store != nil {
		return p.Store, nil
	}
	if cfg.Spool.Database.IsSet() {
		return p.OpenDatabase(cfg)
	}
	return maildir.Open(cfg.Spool.Dir, maildir.Options{Now: p.Now, NoHistory: cfg.Spool.KeepHistory == 0, Reuse: p.Reuse})
}

// OpenLog opens the log. An error of the log is said and does not stop mail: what matters
// most goes to standard error all the same.
func (p *Program) OpenLog(cfg *config.Config) *maillog.Log {
	log, err := p.LogOptions(cfg).Open()
	if err != nil {
		p.logFailed(cfg.Path+": [log] to", err)
	}
	return log
}

// logFailed says that the log itself failed.
func (p *Program) logFailed(what string, err error) {
	n := maillog.Notice{Event: "log", What: what, Why: err.Error()}
	if p.Notify == nil {
		p.Say("%s", n)
	} else {
		p.Notify(n)
	}
}

// LogOptions is where the log goes.
func (p *Program) LogOptions(cfg *config.Config) maillog.Options {
	o := maillog.Options{To: cfg.Log.To, Verbose: p.Verbose, Stderr: p.Stderr, Now: p.Now}
	switch {
	case p.Notify != nil:
		o.Tell = p.Notify
	case !p.Verbose: // with -v its line says it already
		o.Tell = func(n maillog.Notice) { p.Say("%s", n) }
	}
	return o
}

// OpenIntake opens the folder that this user queues mail in, and the log. The folder is the
// spool, or its drop for a user who may not write to the spool. Then the next flush writes
// the log, whose file is closed to other users too, and errors go to standard error alone.
func (p *Program) OpenIntake(cfg *config.Config) (intake.Store, *maillog.Log, error) {
	if p.Store == nil && !mayWrite(cfg.Spool.Dir) {
		folder, err := drop.Open(cfg.Spool.Dir)
		if err != nil {
			return nil, nil, err
		}
		o := p.LogOptions(cfg)
		o.To = "stderr"
		log, err := o.Open()
		return folder, log, err
	}
	if p.Store == nil && cfg.Spool.Buffer {
		log := p.OpenLog(cfg)
		store, err := p.OpenBuffered(cfg, log)
		return store, log, err
	}
	store, err := p.OpenStore(cfg)
	if err != nil {
		return nil, nil, err
	}
	return store, p.OpenLog(cfg), nil
}

// mayWrite reports whether this user may write to the spool. Where that cannot be known it
// says yes: opening the spool gives a better error.
func mayWrite(dir string) bool {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err != unix.EACCES
	}
	uid := os.Geteuid()
	return uid == 0 || uid == int(st.Uid) || st.Mode&unix.S_IFMT != unix.S_IFDIR ||
		unix.Faccessat(unix.AT_FDCWD, dir+"/tmp", unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// Intake is the way into the store.
func (p *Program) Intake(cfg *config.Config, store intake.Store, log *maillog.Log) *intake.Intake {
	return &intake.Intake{
		Store: store,
		Site: intake.Site{
			Name:         cfg.Site.Name,
			Address:      cfg.Site.Address,
			RewriteFrom:  cfg.Site.RewriteFrom,
			Admin:        cfg.Site.Admin,
			FindHostname: p.FindHostname(cfg, false),
		},
		MaxSize: cfg.Spool.MaxMessageSize,
		Now:     p.Now,
		Log:     log,
		// The path is not a key of the config: every program that asks looks there. A test, or a
		// user of somebody else's machine, can name another.
		Aliases: cmp.Or(p.Getenv("NOTICES_ALIASES"), "/etc/aliases"),
		Users:   "/etc/passwd",

		LocalNames: sync.OnceValue(func() []string { return localNames(&p.Host, cfg.Site.Hostname) }),
	}
}

// PrintBare writes to standard output past package os, which ends the program when
// a pipe's reader is gone.
func (p *Program) PrintBare(s string) error { return printBare(p.Stdout, s) }

func printBare(w io.Writer, s string) error {
	f, ok := w.(*os.File)
	if !ok {
		_, err := io.WriteString(w, s)
		return err
	}
	_, err := unix.Write(int(f.Fd()), []byte(s))
	return err
}

// Second is the time of an event: the spool keeps whole seconds in UTC.
func (p *Program) Second() time.Time { return p.Now().UTC().Truncate(time.Second) }

// CloseLog says when not all could be written to the log.
func (p *Program) CloseLog(log *maillog.Log) {
	if err := log.Close(); err != nil {
		p.logFailed("the log could not be written", err)
	}
}

// WithSpool opens the spool and the log for work, and closes them behind it.
func (p *Program) WithSpool(cfg *config.Config, work func(spool.Store, *maillog.Log) error) error {
	store, err := p.OpenStore(cfg)
	if err != nil {
		return err
	}
	log := p.OpenLog(cfg)
	defer p.CloseLog(log)
	err = work(store, log)
	return cmp.Or(err, store.Close())
}

// Terminal returns the file behind a reader or writer if it is a terminal.
func Terminal(stream any) (fd int, ok bool) {
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}
