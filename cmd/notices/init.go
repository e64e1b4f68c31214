package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/config"
)

type initOptions struct {
	Path     string
	From     string // a configuration of another program
	Template bool   // ask nothing
}

func (a *cli) initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [--from FILE | --template]",
		Short: "Set a site up: ask, test the server, write a commented notices.toml",
		Args:  noArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if o.From != "" && o.Template {
				return app.UsageError("notices init", errors.New("--from and --template exclude each other"))
			}
			o.Path = a.initPath(os.Geteuid() == 0)
			return a.initialize(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "take over the configuration of nullmailer, msmtp, ssmtp, dma or Postfix in `FILE`, or in the folder of that name")
	f.BoolVar(&o.Template, "template", false, "ask nothing and write the commented file as it is")
	return cmd
}

// initialize chooses among the three ways to a config. A dialogue needs a person at
// both ends; without one the commented file is written.
func (a *cli) initialize(ctx context.Context, o initOptions) error {
	if err := needsSetup(o.Path); err != nil {
		return err
	}
	_, in := app.Terminal(a.Stdin)
	_, out := app.Terminal(a.Stderr)
	switch {
	case o.From != "":
		return a.takeOver(o)
	case in && out && !o.Template:
		return a.setUp(ctx, o)
	}
	return a.writeConfig(o)
}

// initPath is where the config is to be: where it was said, else for root the
// system's, for anybody else the user's own. $HOME alone says nothing of root: sudo may
// keep that of the user who called it.
func (a *cli) initPath(root bool) string {
	for _, named := range []string{a.Config, a.Getenv("NOTICES_CONFIG")} {
		if named != "" {
			return named
		}
	}
	if user := config.UserFile(a.Getenv); user != "" && !(root && a.Getenv("XDG_CONFIG_HOME") == "") {
		return user
	}
	return config.SystemFile
}

// sayNoFullName says that this machine has no full name, if neither the config nor the
// machine has one.
func (a *cli) sayNoFullName(hostname string) {
	if hostname == "" && a.Host.FullName(true) == "" {
		a.Say("%s", noFullName)
	}
}

const noFullName = "This machine has no full name, and some mail servers refuse one without: " +
	"set hostname in [site] to a name that they find, such as mail.example.org."

// writeConfig writes a config where there is none, and says what to do next.
func (a *cli) writeConfig(o initOptions) error {
	if err := (&draft{path: o.Path}).write(); err != nil {
		return err
	}
	a.Say("wrote %s\nNext: fill in [site] and [[server]] there; then run: notices check\n"+
		"then: notices test-server\nand let cron run every minute: notices flush", o.Path)
	a.sayNoFullName("")
	return nil
}
