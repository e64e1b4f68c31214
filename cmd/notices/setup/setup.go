// Package setup is notices init: a dialogue that asks, tests the server and writes a
// configuration; the same out of another program's configuration; or a commented file.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/config/migrate"
	"notices/spool/printable"
	"notices/spool/route"
)

// Options are the options of notices init.
type Options struct {
	Path     string
	From     string // a configuration of another program
	Template bool   // ask nothing
	// Server makes the server to test of a config.
	Server func(c *config.Server, hello func() string) (route.Server, error)
}

// Run chooses among the three ways to a config. A dialogue needs a person at
// both ends; without one the commented file is written.
func Run(ctx context.Context, p *app.Program, o Options) error {
	if err := needsSetup(o.Path); err != nil {
		return err
	}
	_, in := app.Terminal(p.Stdin)
	_, out := app.Terminal(p.Stderr)
	switch {
	case o.From != "":
		return migrateFrom(p, o)
	case in && out && !o.Template:
		return runDialogue(ctx, p, o)
	}
	return writeConfig(p, o)
}

// Path is where the config will be: the path that was given, else the system's for root,
// and the user's own for any other user. $HOME alone does not count for root: sudo may keep
// the one of the user who called it.
func Path(p *app.Program, root bool) string {
	for _, named := range []string{p.Config, p.Getenv("NOTICES_CONFIG")} {
		if named != "" {
			return named
		}
	}
	if user := config.UserFile(p.Getenv); user != "" && !(root && p.Getenv("XDG_CONFIG_HOME") == "") {
		return user
	}
	return config.SystemFile
}

// sayNoFullName says that this machine has no full name, if neither the config nor the
// machine has one.
func sayNoFullName(p *app.Program, hostname string) {
	if hostname == "" && p.Host.FullName(true) == "" {
		p.Say("%s", noFullName)
	}
}

const noFullName = "This machine has no full name, and some mail servers reject machines that have none: " +
	"set hostname in [site] to a name that is in the DNS, such as mail.example.org."

// writeConfig writes the commented config, and says what to do next.
func writeConfig(p *app.Program, o Options) error {
	if err := (&draft{path: o.Path}).write(); err != nil {
		return err
	}
	p.Say("wrote %s\nNext: fill in [site] and [[server]] there; then run: %[2]s check\n"+
		"then: %[2]s test-server\nand let cron run every minute: %[2]s flush", o.Path, "notices"+configOption(o.Path))
	sayNoFullName(p, "")
	return nil
}

// migrateFrom writes a config that does what another program's config does, and prints what
// became of each setting.
func migrateFrom(p *app.Program, o Options) error {
	if exists(o.Path) {
		return alreadyThere(o.Path)
	}
	found, err := migrate.Read(o.From, readConfig)
	if err != nil {
		code := app.ExitUnknown
		if errors.Is(err, fs.ErrPermission) {
			code = app.ExitPermission
		}
		if e := (*fs.PathError)(nil); errors.Is(err, fs.ErrNotExist) {
			err = errors.New("does not exist, or is a folder without a known configuration")
		} else if errors.As(err, &e) {
			err = e.Err // the path is said
		}
		return &app.Failure{Code: code, Err: fmt.Errorf("%s %w", o.From, err)}
	}
	d := &draft{path: o.Path}
	refused := d.translate(found)
	for _, n := range append(found.Notes, refused...) {
		if _, err := fmt.Fprintln(p.Stdout, printable.Text(n.String())); err != nil {
			return err
		}
	}
	d.owner = d.spoolOwner()
	if err := d.write(); err != nil {
		return err
	}
	p.Say("wrote %s", d.path)
	for _, f := range d.secrets {
		p.Say("wrote %s, the password of server %d, readable only by %s", f.path, f.server, d.ownerName())
	}
	call := "notices" + configOption(d.path)
	if _, err := config.Load(d.path); err != nil {
		p.Say("%s cannot be used yet. Correct what follows there; then run: %s check", d.path, call)
		return err
	}
	sayNoFullName(p, found.Hostname)
	if found.Address == "" {
		p.Say("Next: set [site] address in %s: mail queued without a sender needs it, and so does test-server", d.path)
	}
	p.Say("Review it; then run: %[1]s check\nthen: %[1]s test-server\nand when that works, let cron run every minute: %[1]s flush", call)
	if found.Program != "msmtp" && found.Program != "ssmtp" { // these have none
		p.Say("Mail that still waits in the queue of %[1]s stays there: %[1]s has to send it", found.Program)
	}
	return nil
}

// readConfig reads a file of another program.
func readConfig(path string) ([]byte, error) {
	const maxSize = 256 << 10 // octets; longer than any such file
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is not a file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is too long for a configuration")}
	}
	return text, err
}

// translate makes settings of what was found. It returns those that notices does not take.
func (d *draft) translate(c *migrate.Config) (refused []migrate.Note) {
	put := func(section string, n int, key string, value any) {
		if reflect.ValueOf(value).IsZero() {
			return
		}
		if length, ok := value.(time.Duration); ok {
			value = migrate.Duration(length)
		}
		s := config.Setting{Section: section, N: n, Key: key, Value: value}
		if err := config.Check(s, d.set...); err != nil {
			refused = append(refused, migrate.Note{File: c.Program, What: fmt.Sprintf("%s = %v", key, value), Why: key + " " + err.Error()})
			return
		}
		d.set = append(d.set, s)
	}
	put("site", 0, "name", c.Name)
	put("site", 0, "address", c.Address)
	put("site", 0, "admin", c.Admin)
	put("site", 0, "hostname", c.Hostname)
	put("site", 0, "rewrite_from", c.Rewrite)
	for i := range c.Servers {
		n, s := i+1, &c.Servers[i]
		put("server", n, "host", s.Host)
		put("server", n, "port", s.Port)
		if s.TLS == config.Implicit && s.Port != 465 || s.TLS == config.StartTLS && s.Port == 465 {
			put("server", n, "tls", s.TLS)
		}
		put("server", n, "allow_non_secure", s.NonSecure)
		put("server", n, "allow_non_secure_login", s.NonSecureLogin)
		put("server", n, "login", s.Login)
		put("server", n, "ca_file", s.CAFile)
		put("server", n, "tls_fingerprint", s.Fingerprint)
		put("server", n, "password_command", s.PasswordCommand)
		put("server", n, "token_command", s.TokenCommand)
		put("server", n, "timeout", s.Timeout)
		if s.Password != "" {
			d.putPassword(n, s.Password)
		}
	}
	put("retry", 0, "give_up", c.GiveUp)
	put("retry", 0, "warn_after", c.WarnAfter)
	put("spool", 0, "max_message_size", c.MaxSize)
	if c.Syslog {
		put("log", 0, "to", "syslog")
	}
	return refused
}
