// Package setup is notices init: a dialogue that asks, tests the server and writes a
// configuration; the same out of another program's configuration; or a commented file.
package setup

import (
	"context"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool/route"
)

// Options are those of notices init.
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

const noFullName = "This machine has no full name, and some mail servers refuse one without: " +
	"set hostname in [site] to a name that they find, such as mail.example.org."

// writeConfig writes the commented config, and says what to do next.
func writeConfig(p *app.Program, o Options) error {
	if err := (&draft{path: o.Path}).write(); err != nil {
		return err
	}
	p.Say("wrote %s\nNext: fill in [site] and [[server]] there; then run: notices check\n"+
		"then: notices test-server\nand let cron run every minute: notices flush", o.Path)
	sayNoFullName(p, "")
	return nil
}
