package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/database"
	"notices/config"
	"notices/spool"
)

// beside is the folder beside the database, if the config has one.
func beside(a *cli, cfg *config.Config) database.Beside {
	return database.Beside{Program: a.Program, Config: cfg}
}

// database adds an error of the database. One that is away is no fault of the config.
func (c *checker) database(cfg *config.Config, err error) {
	if !errors.As(err, new(*config.Error)) && !strings.Contains(err.Error(), "[spool] database:") {
		err = database.Error(cfg, err)
	}
	c.failed = app.ExitCode(err)
	c.add(err)
}

// needsDatabase adds to an error by which the database is away why the folder beside it, if one is set, is not
// used.
func needsDatabase(a *cli, err error, why string) error {
	if !errors.Is(err, spool.ErrUnreachable) {
		return err
	}
	if cfg, e := a.ReadConfig(config.Intake); e != nil || !cfg.Spool.Buffer {
		return err
	}
	return fmt.Errorf("%w; the folder beside the database is not used for this: %s", err, why)
}

// dropPossible reports whether other users of the machine can hand mail in: into a folder that
// a set-up has made, though it is not the spool if that is a database.
func dropPossible(cfg *config.Config) bool {
	if !cfg.Spool.Database.IsSet() {
		return true
	}
	info, err := os.Stat(cfg.Spool.Dir)
	return err == nil && info.IsDir()
}
