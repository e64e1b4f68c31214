package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/sites"
	"notices/config"
	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/service"
)

func serviceKeyCommand(a *cli) *cobra.Command {
	var o sites.Options
	cmd := &cobra.Command{
		Use:   "service-key add SITE --name NAME --address ADDRESS | list [--json] | rotate SITE [--now] | revoke SITE",
		Short: "Register the sites of a hosted service, and their keys",
		Long: "Register the sites of a hosted service (notices serve), and their keys.\n" +
			"add and rotate print a key as the last word; it is shown only then.",
		ValidArgsFunction: completeSites(a),
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "add: the `NAME` of the site, which patrons see as the sender")
	f.StringVar(&o.Address, "address", "", "add: the `ADDRESS` of the site, where its returns go")
	f.BoolVar(&o.Now, "now", false, "rotate: the old key ends at once, and not in a week")
	f.BoolVar(&o.JSON, "json", false, "list: print JSON")
	for _, option := range []string{"name", "address"} {
		complete(cmd, option, cobra.NoFileCompletions)
	}
	cmd.RunE = a.runE(func(ctx context.Context, args []string) error {
		if err := o.Parse(args, f.Changed); err != nil {
			return app.UsageError("notices service-key", err)
		}
		return withSites(a, func(s *sites.Sites) error { return s.Run(ctx, o) })
	})
	return cmd
}

// withSites opens the register of sites, and closes the spool that it is in afterwards.
func withSites(a *cli, work func(*sites.Sites) error) error {
	cfg, err := a.Load(config.Queue)
	if err != nil {
		return withOwnerHint(err, systemFolders()...)
	}
	err = a.WithSpool(cfg, func(store spool.Store, _ *maillog.Log) error {
		return work(&sites.Sites{Program: a.Program, Config: cfg, Register: &service.Register{State: store.State(), Now: a.Now}})
	})
	return withOwnerHint(err, cfg.Spool.Dir)
}

// completeSites offers the actions, and then the sites that can be meant.
func completeSites(a *cli) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return sites.Actions(), cobra.ShellCompDirectiveNoFileComp
		case len(args) == 1 && (args[0] == "rotate" || args[0] == "revoke"):
			return completeSiteNames(a)(cmd, nil, begun)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSiteNames offers the sites that are not revoked.
func completeSiteNames(a *cli) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var found []cobra.Completion
		quietly(a, func(_ *config.Config, store spool.Store) {
			list, _ := (&service.Register{State: store.State(), Now: a.Now}).List(cmd.Context()) // what cannot be read is not offered
			for i := range list {
				if s := &list[i]; s.Revoked.IsZero() && strings.HasPrefix(s.ID, begun) {
					found = append(found, cobra.CompletionWithDesc(s.ID, s.Name))
				}
			}
		})
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}
