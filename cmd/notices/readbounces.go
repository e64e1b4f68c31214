package main

import (
	"context"
	"crypto/x509"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/notices/returned"
	"notices/cmd/notices/signin"
	"notices/config"
	"notices/spool"
	"notices/spool/mailbox"
)

func readBouncesCommand(a *cli) *cobra.Command {
	o := returned.Options{Server: func(ctx context.Context, cfg *config.Config, state spool.State) (mailbox.Server, error) {
		return mailboxServer(ctx, a, cfg, state)
	}}
	cmd := &cobra.Command{
		Use:   "read-bounces [-n|--dry-run] [--json] [PATH...]",
		Short: "Record bounces that arrive later, from files or a mailbox",
		RunE: a.runE(func(ctx context.Context, args []string) error {
			o.Paths = args
			err := returned.Run(ctx, a.Program, o)
			folders := systemFolders()
			if cfg, e := a.ReadConfig(config.Intake); err != nil && e == nil {
				folders = append(folders, cfg.Spool.Dir)
			}
			return withOwnerHint(err, folders...)
		}),
	}
	f := cmd.Flags()
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "print what would be recorded, and change nothing")
	f.BoolVar(&o.JSON, "json", false, "print what was done as JSON")
	return cmd
}

// mailboxServer is the server of [bounces].
func mailboxServer(ctx context.Context, a *cli, cfg *config.Config, state spool.State) (mailbox.Server, error) {
	b := &cfg.Bounces
	host, port, _ := net.SplitHostPort(b.Imap) // the config has checked it
	number, _ := strconv.Atoi(port)
	s := mailbox.Server{Host: host, Port: number, Implicit: b.Implicit(), Login: b.Login, SecretKey: b.Password.Key(), Timeout: time.Minute, Now: a.Now}
	switch {
	case b.Auth != config.AuthPassword:
		tokens, login, err := signin.MailboxTokens(ctx, a.Program, cfg, state)
		if err != nil {
			return s, err
		}
		s.Tokens, s.Login, s.Roots = tokens, login, tokens.Client.Roots
	case b.Password.IsToken():
		s.Tokens = b.Password
	default:
		s.Password = b.Password.Read
	}
	if b.CAFile == "" {
		return s, nil
	}
	s.Roots = x509.NewCertPool()
	if err := signin.AddCertificates(s.Roots, b.CAFile); err != nil {
		return s, cfg.Fault("bounces", 0, "ca_file", err)
	}
	return s, nil
}
