package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/config/migrate"
	"notices/spool/printable"
)

// takeOver writes a config that does what another program's does, and says of every
// setting what became of it.
func takeOver(p *app.Program, o Options) error {
	if exists(o.Path) {
		return alreadyThere(o.Path)
	}
	found, err := migrate.Read(o.From, readConfig)
	if err != nil {
		code := app.ExitUnknown
		if errors.Is(err, fs.ErrPermission) {
			code = app.ExitPermission
		}
		return &app.Failure{Code: code, Err: fmt.Errorf("%s %w", o.From, noPath(err))}
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
		p.Say("wrote %s, the password of server %d, for %s alone to read", f.path, f.server, d.ownerName())
	}
	if _, err := config.Load(d.path); err != nil {
		p.Say("%s does not hold all that it needs. Mend what follows there; then run: notices check", d.path)
		return err
	}
	sayNoFullName(p, found.Hostname)
	if found.Address == "" {
		p.Say("Next: set [site] address in %s: it is the sender of mail that names none", d.path)
	}
	p.Say("Look it through; then run: notices check\nthen: notices test-server\nand when that works, let cron run every minute: notices flush\n"+
		"What still waits in the queue of %s has to go out through it", found.Program)
	return nil
}

// maxForeign is longer than any such file, in octets.
const maxForeign = 256 << 10

// readConfig reads a file of another program.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is no file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxForeign+1))
	if err == nil && len(text) > maxForeign {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is too long for a configuration")}
	}
	return text, err
}

// noPath leaves out the path, which has been said.
func noPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		if errors.Is(err, fs.ErrNotExist) {
			return errors.New("is not there, or is a folder without a configuration that is known here")
		}
		return pe.Err
	}
	return err
}

// translate makes settings of what was found. What notices does not take is told.
func (d *draft) translate(c *migrate.Config) []migrate.Note {
	var refused []migrate.Note
	put := func(s config.Setting) {
		if s.Value == "" {
			return
		}
		if err := s.Check(d.set...); err != nil {
			refused = append(refused, migrate.Note{File: c.Program, What: fmt.Sprintf("%s = %v", s.Key, s.Value), Why: s.Key + " " + err.Error()})
			return
		}
		d.set = append(d.set, s)
	}
	site := func(key string, value any) { put(config.Setting{Section: "site", Key: key, Value: value}) }
	site("name", c.Name)
	site("address", c.Address)
	site("admin", c.Admin)
	site("hostname", c.Hostname)
	if c.Rewrite {
		site("rewrite_from", true)
	}
	for i := range c.Servers {
		d.translateServer(i+1, &c.Servers[i], put)
	}
	if c.GiveUp > 0 {
		put(config.Setting{Section: "retry", Key: "give_up", Value: migrate.Duration(c.GiveUp)})
	}
	if c.WarnAfter > 0 {
		put(config.Setting{Section: "retry", Key: "warn_after", Value: migrate.Duration(c.WarnAfter)})
	}
	if c.MaxSize > 0 {
		put(config.Setting{Section: "spool", Key: "max_message_size", Value: c.MaxSize})
	}
	if c.Syslog {
		put(config.Setting{Section: "log", Key: "to", Value: "syslog"})
	}
	return refused
}

func (d *draft) translateServer(n int, s *migrate.Server, put func(config.Setting)) {
	key := func(name string, value any) { put(config.Setting{Section: "server", N: n, Key: name, Value: value}) }
	key("host", s.Host)
	key("port", s.Port)
	if s.TLS == config.Implicit && s.Port != 465 || s.TLS == config.StartTLS && s.Port == 465 {
		key("tls", s.TLS)
	}
	if s.NonSecure {
		key("allow_non_secure", true)
	}
	if s.NonSecureLogin {
		key("allow_non_secure_login", true)
	}
	key("login", s.Login)
	key("ca_file", s.CAFile)
	key("tls_fingerprint", s.Fingerprint)
	key("password_command", s.PasswordCommand)
	key("token_command", s.TokenCommand)
	if s.Timeout > 0 {
		key("timeout", migrate.Duration(s.Timeout))
	}
	if s.Password != "" {
		d.putPassword(n, s.Password)
	}
}
