package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/notices/returned"
	"notices/cmd/notices/signin"
	"notices/config"
	"notices/spool"
	"notices/spool/mailbox"
)

func readBouncesCommand(a *cli) *cobra.Command {
	o := returned.Options{Site: a.bounceSite, Server: func(ctx context.Context, cfg *config.Config, state spool.State) (mailbox.Server, error) {
		return mailboxServer(ctx, a, cfg, state)
	}}
	cmd := &cobra.Command{
		Use:   "read-bounces [-n|--dry-run] [--json] [PATH...]",
		Short: "Record bounces that arrive later, from files or a mailbox",
		RunE: a.runE(func(ctx context.Context, args []string) error {
			o.Paths = args
			err := needsDatabase(a, returned.Run(ctx, a.Program, o), "the history is in the database; run the same command again when it can be reached")
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
	var err error
	s.Roots, err = bounceRoots(cfg)
	return s, err
}

// bounceRoots are the certificates of ca_file in [bounces].
func bounceRoots(cfg *config.Config) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if err := signin.AddCertificates(roots, cfg.Bounces.CAFile); err != nil {
		return nil, cfg.Fault("bounces", 0, "ca_file", err)
	}
	return roots, nil
}

// bouncesRefused is what read-bounces refuses of [bounces], as far as that can be found without
// running a command; nil: nothing. What a user may not read is not refused.
func bouncesRefused(ctx context.Context, a *cli, cfg *config.Config) error {
	if _, err := a.ReadConfig(config.Returns); err != nil && strings.Contains(err.Error(), "[bounces]") {
		return err
	}
	b := &cfg.Bounces
	if b.Imap == "" {
		return nil
	}
	err := returned.NeedsHistory(cfg)
	if err == nil && b.Password.Key() == "password_file" {
		_, err = b.Password.Read(ctx)
	}
	if err == nil && b.CAFile != "" {
		_, err = bounceRoots(cfg)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
