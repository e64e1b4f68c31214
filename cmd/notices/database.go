package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/postgres"
)

// openDatabase opens the database of [spool] database.
func openDatabase(p *app.Program, cfg *config.Config) (spool.Store, error) {
	s, err := openPostgres(context.Background(), p, cfg, 0)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openPostgres(ctx context.Context, p *app.Program, cfg *config.Config, patience time.Duration) (*postgres.Store, error) {
	url, err := cfg.Spool.Database.Read(ctx)
	if err != nil {
		return nil, err
	}
	o := postgres.Options{URL: url, NoHistory: cfg.Spool.KeepHistory == 0, Patience: patience}
	if cfg.Spool.DatabasePassword.IsSet() {
		o.Password = cfg.Spool.DatabasePassword.Read
	}
	if o.Host = p.FindHostname(cfg, false)(); o.Host == "" {
		o.Host, _ = os.Hostname() // only a person reads it
	}
	s, err := postgres.Open(ctx, o)
	if err != nil {
		return nil, databaseError(cfg, err)
	}
	return s, nil
}

func databaseError(cfg *config.Config, err error) error {
	return fmt.Errorf("%s: [spool] database: %w", cfg.Path, err)
}

// database adds an error of the database. One that is away is no fault of the config.
func (c *checker) database(cfg *config.Config, err error) {
	if c.away = errors.Is(err, spool.ErrUnreachable); !errors.As(err, new(*config.Error)) && !strings.Contains(err.Error(), "[spool] database:") {
		err = databaseError(cfg, err)
	}
	c.add(err)
}

// dropPossible reports whether other users of the machine can hand mail in: into a folder that
// a set-up has made, though it is not the spool if that is a database.
func dropPossible(cfg *config.Config) bool {
	if !cfg.Spool.Database.IsSet() {
		return true
	}
	_, err := os.Stat(cfg.Spool.Dir)
	return err == nil
}
