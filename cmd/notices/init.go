package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/setup"
)

func initCommand(a *cli) *cobra.Command {
	var o setup.Options
	cmd := &cobra.Command{
		Use:   "init [--from FILE | --template]",
		Short: "Set a site up: ask, test the server, write a commented notices.toml",
		Args:  noArgs,
		RunE: a.runE(func(ctx context.Context, _ []string) error {
			if o.From != "" && o.Template {
				return app.UsageError("notices init", errors.New("--from and --template cannot be combined"))
			}
			o.Path, o.Server = setup.Path(a.Program, os.Geteuid() == 0), a.server
			return setup.Run(ctx, a.Program, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "take over the configuration of nullmailer, msmtp, ssmtp, dma or Postfix in `FILE`, or in the folder of that name")
	f.BoolVar(&o.Template, "template", false, "ask nothing and write the commented file as it is")
	return cmd
}
