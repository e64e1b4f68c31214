package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"notices/config"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the config and say all that is wrong with it",
		Args:  cobra.NoArgs,
		RunE:  a.does(func(ctx context.Context, _ []string) error { return a.check(ctx) }),
	}
}

// check looks at everything that flush will need but the servers themselves, and
// tells all that is wrong, not the first only.
func (a *app) check(ctx context.Context) error {
	path, err := config.Find(a.config, a.getenv)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path)
	var problems config.Problems
	if errors.As(err, &problems) {
		// All that can be read is read nevertheless, to tell what is wrong with it too.
		if readable, e := config.LoadFor(path, config.Intake); e == nil {
			cfg = readable
		}
	}
	wrong := a.complain(err)
	if cfg != nil {
		wrong += a.checkParts(ctx, cfg)
	}
	if wrong > 0 {
		return &failure{code: exitConfig}
	}
	if cfg.Site.Address == "" {
		a.say("%s: [site] address is not set: mail needs a sender of its own, and test-server an address", path)
	}
	_, err = fmt.Fprintf(a.stdout, "%s is in order\n", path)
	return err
}

// complain says an error, if it is one, and counts it.
func (a *app) complain(err error) int {
	if err == nil {
		return 0
	}
	a.say("%s", explain(err))
	return 1
}

// checkParts tries secrets, CA files, spool and log.
func (a *app) checkParts(ctx context.Context, cfg *config.Config) (wrong int) {
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		if s.Login != "" && s.Auth == config.AuthPassword {
			_, err := s.Password.Read(ctx)
			wrong += a.complain(err)
		}
	}
	_, err := a.testable(cfg)
	wrong += a.complain(err)
	for _, name := range accountNames() {
		if c := cfg.Account(name); c.ClientSecretFile.IsSet() {
			_, err := c.ClientSecretFile.Read(ctx)
			wrong += a.complain(err)
		}
	}
	log, err := a.logOptions(cfg).Open()
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		wrong += a.complain(fmt.Errorf("%s: [log] to: %w", cfg.Path, err))
	}
	if err := a.checkSpool(ctx, cfg); err != nil {
		wrong += a.complain(fmt.Errorf("%s: [spool] dir: %w", cfg.Path, err))
	}
	return wrong
}

func (a *app) checkSpool(ctx context.Context, cfg *config.Config) error {
	store, err := a.openStore(cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Writable(ctx)
}
