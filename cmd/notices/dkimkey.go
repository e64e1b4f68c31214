package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/dkimkey"
)

func dkimKeyCommand(a *cli) *cobra.Command {
	var o dkimkey.Options
	cmd := &cobra.Command{
		Use:   "dkim-key [--bits N] [--type rsa|ed25519]",
		Short: "Make the key that mail is signed with, and print its DNS record",
		Args:  noArgs,
		RunE: a.runE(func(context.Context, []string) error {
			if err := o.Check(); err != nil {
				return app.UsageError("notices dkim-key", err)
			}
			return withOwnerHint(dkimkey.Run(a.Program, o), systemFolders()...)
		}),
	}
	f := cmd.Flags()
	f.IntVar(&o.Bits, "bits", 0, "make an RSA key of `N` bits; default: 2048")
	f.StringVar(&o.Type, "type", "", "make a key of type `TYPE`: rsa (default) or ed25519")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]cobra.Completion{"rsa", "ed25519"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
