package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/status"
	"notices/config"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/probe"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

func testServerCommand(a *cli) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "test-server [1|2|google|microsoft|service|all] [--to ADDRESS]",
		Short: "Send a test message through a server now and show each step",
		RunE:  a.runE(func(ctx context.Context, args []string) error { return testServers(ctx, a, args, to) }),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			found, directive := a.completeServers(cmd, args, begun)
			return append([]cobra.Completion{cobra.CompletionWithDesc("all", "all that is configured")}, found...), directive
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "send the test message to `ADDRESS`; default: [site] address")
	return cmd
}

// testServers tests the servers of those names, in the order of the config, also when one
// fails; without names, or with "all", all of them.
func testServers(ctx context.Context, a *cli, names []string, to string) error {
	cfg, err := a.Load(config.Sending)
	if err != nil {
		return err
	}
	from := cmp.Or(cfg.Site.Address, to)
	if to = cmp.Or(to, from); to == "" {
		return cfg.Missing("[site] address", "test mail goes there; set it, or say where to by --to ADDRESS")
	}
	if err := spool.CheckAddress(to); err != nil {
		return app.UsageError("notices test-server", fmt.Errorf("--to: %w", err))
	}
	servers, err := a.allServers(cfg)
	if err != nil {
		return err
	}
	all, known := make([]smtpclient.Server, len(servers)), make([]string, len(servers))
	for i := range servers {
		all[i], known[i] = servers[i].Server, servers[i].Name
	}
	if len(names) > 0 && !slices.Contains(names, "all") {
		for _, name := range names {
			if !slices.Contains(known, name) {
				return app.UsageError("notices test-server",
					fmt.Errorf("there is no server %q in the configuration; the servers are: %s", name, strings.Join(known, ", ")))
			}
		}
		servers = slices.DeleteFunc(servers, func(s route.Server) bool { return !slices.Contains(names, s.Name) })
	}
	store, err := a.OpenStore(cfg)
	if err != nil {
		return err
	}
	status.PlaceTestResults(ctx, store.State(), all)
	signin.UseState(ctx, cfg, servers, store.State(), true)
	var errs []error
	for _, s := range servers {
		sender := s.TestSender(from)
		if sender != from {
			fmt.Fprintf(a.Stdout, "Server %s does not accept mail from %s, so the test comes from %s, because of its senders. If that address does not exist, add one that does to senders.\n", s.Name, from, sender)
		}
		errs = append(errs, probe.Run(ctx, s.Server, probe.Options{
			To: to, From: sender, Site: cfg.Site.Name, State: store.State(), Now: a.Now, KeepOutages: cfg.Spool.KeepHistory,
			Print: func(line string) { fmt.Fprintln(a.Stdout, printable.Text(line)) },
		}))
	}
	return errors.Join(append(errs, store.Close())...)
}
