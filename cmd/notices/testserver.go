package main

import (
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

type testServerOptions struct {
	Which []string // names of servers; none or "all": all
	To    string
}

func testServerCommand(a *cli) *cobra.Command {
	var o testServerOptions
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeServers,
		Use:               "test-server [1|2|google|microsoft|all] [--to ADDRESS]",
		Short:             "Send a test message through a server now and show each step",
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.Which = args
			return a.testServer(ctx, o)
		}),
	}
	cmd.Flags().StringVar(&o.To, "to", "", "send the test message to `ADDRESS`; default: [site] address")
	return cmd
}

// testServer tests one server after the other, also when one fails.
func (a *cli) testServer(ctx context.Context, o testServerOptions) error {
	cfg, err := a.Load(config.Everything)
	if err != nil {
		return err
	}
	to, from, err := o.addresses(cfg)
	if err != nil {
		return err
	}
	servers, err := a.testable(cfg)
	if err != nil {
		return err
	}
	all := make([]smtpclient.Server, len(servers))
	for i := range servers {
		all[i] = servers[i].Server
	}
	if servers, err = o.choose(servers); err != nil {
		return err
	}
	store, err := a.OpenStore(cfg)
	if err != nil {
		return err
	}
	status.PlaceTestResults(ctx, store.State(), all)
	signin.UseState(ctx, cfg, servers, store.State(), true)
	var errs []error
	for _, s := range servers {
		if sender := s.TestSender(from); sender != from {
			fmt.Fprintf(a.Stdout, "Server %s takes no mail from %s: its test comes from %s, by its senders. If there is no such address, name one in senders.\n", s.Name, from, sender)
		}
		errs = append(errs, probe.Run(ctx, s.Server, probe.Options{
			To: to, From: s.TestSender(from), Site: cfg.Site.Name, State: store.State(), Now: a.Now,
			Print: func(line string) { fmt.Fprintln(a.Stdout, printable.Text(line)) },
		}))
	}
	return errors.Join(append(errs, store.Close())...)
}

// addresses are where the message goes, and whom it is from.
func (o *testServerOptions) addresses(cfg *config.Config) (to, from string, err error) {
	to, from = o.To, cfg.Site.Address
	switch {
	case to == "" && from == "":
		return "", "", cfg.Missing("[site] address", "test mail goes there; set it, or say where to by --to ADDRESS")
	case to == "":
		to = from
	case from == "":
		from = to
	}
	if err := spool.CheckAddress(to); err != nil {
		return "", "", app.UsageError("notices test-server", fmt.Errorf("--to: %w", err))
	}
	return to, from, nil
}

// choose keeps the servers that were asked for, in the order of the config.
func (o *testServerOptions) choose(servers []route.Server) ([]route.Server, error) {
	if len(o.Which) == 0 || slices.Contains(o.Which, "all") {
		return servers, nil
	}
	var names []string
	for _, s := range servers {
		names = append(names, s.Name)
	}
	for _, name := range o.Which {
		if !slices.Contains(names, name) {
			return nil, app.UsageError("notices test-server",
				fmt.Errorf("there is no server %q in the config; there is: %s", name, strings.Join(names, ", ")))
		}
	}
	return slices.DeleteFunc(servers, func(s route.Server) bool { return !slices.Contains(o.Which, s.Name) }), nil
}
