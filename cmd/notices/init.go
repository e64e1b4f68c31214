package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"notices/config"
)

type initOptions struct {
	Path string
}

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a commented notices.toml to begin with",
		Args:  cobra.NoArgs,
		RunE: a.does(func(context.Context, []string) error {
			return a.writeConfig(initOptions{Path: a.initPath(os.Geteuid() == 0)})
		}),
	}
}

// initPath is where the config is to be: where it was said, else for root the
// system's, for anybody else the user's own. Root with another home than its own
// is a user like any other (a container, a test).
func (a *app) initPath(root bool) string {
	for _, named := range []string{a.config, a.getenv("NOTICES_CONFIG")} {
		if named != "" {
			return named
		}
	}
	home := a.getenv("HOME")
	atHome := home == "" || home == "/root" || a.getenv("SUDO_USER") != ""
	if user := config.UserFile(a.getenv); user != "" && !(root && atHome && a.getenv("XDG_CONFIG_HOME") == "") {
		return user
	}
	return config.SystemFile
}

// writeConfig writes a config where there is none, and says what to do next.
func (a *app) writeConfig(o initOptions) error {
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o755); err != nil {
		return cannotMake(o.Path, err)
	}
	// 0600: sooner or later a password may stand in it.
	f, err := os.OpenFile(o.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitCannotMake, "%s is there already and stays as it is; see whether it is in order by: notices check", o.Path)
	}
	if err != nil {
		return cannotMake(o.Path, err)
	}
	_, err = f.Write(config.Template(config.Answers{}))
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(o.Path) // half a config is worse than none
		return cannotMake(o.Path, err)
	}
	a.say("wrote %s\nNext: fill in [site] and [[server]] there; then run: notices check\n"+
		"then: notices test-server\nand let cron run every minute: notices flush", o.Path)
	return nil
}

func cannotMake(path string, err error) error {
	code := storeCode(err)
	if code == exitIO {
		code = exitCannotMake
	}
	return &failure{code, fmt.Errorf("%s cannot be written: %w", path, err)}
}
