package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/cmd/notices/database"
	"notices/config"
	"notices/config/spelling"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/intake"
	"notices/spool/maillog"
	"notices/spool/oauth"
	"notices/spool/printable"
	"notices/spool/probe"
)

// cli is one run of the program.
type cli struct {
	*app.Program
	random  func(n int64) int64 // uniform in [0, n)
	started bool                // a command's own work has begun: its errors are not usage errors
}

func newCLI() *cli {
	p := app.New()
	p.Host.Canonical, p.Host.LookupTXT = net.DefaultResolver.LookupCNAME, net.DefaultResolver.LookupTXT
	p.OpenDatabase = func(cfg *config.Config) (spool.Store, error) { return database.Open(p, cfg) }
	p.OpenBuffered = func(cfg *config.Config, log *maillog.Log) (intake.Store, error) {
		return database.OpenBuffered(p, cfg, log)
	}
	return &cli{Program: p, random: rand.Int64N}
}

// run is the whole program; it returns the exit code.
func (a *cli) run(args []string) int {
	root := a.root()
	nameDefaults(root)
	root.SetArgs(args)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return app.ExitOK
	}
	if !a.started {
		err = app.UsageError(cmd.CommandPath(), err)
	}
	return a.Report(withExitCode(err))
}

// root builds the command line.
func (a *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "notices",
		Short:         "Queues a site's e-mail notices, sends them, and returns what cannot be sent",
		Version:       app.VersionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(root *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which command? notices help lists them: enqueue, flush, status and others")
			}
			return unknownCommand(root, args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args refuses all there is
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if name := cmd.Flags().Arg(0); cmd == root && name != "" {
			return unknownCommand(root, name)
		}
		return optionError(cmd, err)
	})
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.DisableDefaultCmd = true // ours is in completion.go
	root.PersistentFlags().StringVar(&a.Config, "config", "", "read `FILE` instead of the usual notices.toml")
	root.PersistentFlags().BoolVarP(&a.Verbose, "verbose", "v", false, "say more")
	a.addCommands(root)
	setHelp(root)
	return root
}

// optionError says what pflag found wrong, in the words of the pages.
func optionError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("unknown option -%.1s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		text := "unknown option --" + unknown.GetSpecifiedName()
		if near := spelling.Nearest(unknown.GetSpecifiedName(), optionNames(cmd)); near != "" {
			text += "; did you mean --" + near + "?"
		}
		return errors.New(text)
	case errors.As(err, &empty):
		return fmt.Errorf("--%s needs a value", empty.GetFlag().Name)
	case errors.As(err, &bad):
		return fmt.Errorf("--%s %q: %w", bad.GetFlag().Name, bad.GetValue(), bad.Unwrap())
	}
	return err
}

// optionNames are the options that a command takes.
func optionNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// runE makes a command's work a RunE of cobra.
func (a *cli) runE(work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return work(cmd.Context(), args)
	}
}

// withExitCode gives the errors of packages that only this program links their exit codes;
// package app knows the others.
func withExitCode(err error) error {
	switch {
	case errors.As(err, new(*app.Failure)):
		return err
	case errors.As(err, new(*probe.Error)):
		return &app.Failure{Code: app.ExitUnavailable, Err: err}
	case errors.As(err, new(*oauth.Error)): // of a sign-in: a key of [google] is wrong
		return &app.Failure{Code: app.ExitConfig, Err: err}
	case errors.Is(err, flush.ErrSpool) && !errors.Is(err, spool.ErrMisconfigured):
		return &app.Failure{Code: app.ExitTryLater, Err: err}
	}
	return err
}

// withOwnerHint adds to an error of permissions the command that an ordinary user has to run: as
// the owner of the first of the folders that belongs to another user than root, or as root
// if all are root's; or the one that gives an owner the own folder back.
func withOwnerHint(err error, dirs ...string) error {
	if !errors.Is(err, fs.ErrPermission) || os.Geteuid() == 0 {
		return err
	}
	found, owner := false, 0
	for _, dir := range dirs {
		var st unix.Stat_t
		switch {
		case unix.Stat(dir, &st) != nil || found && owner != 0:
			continue
		case int(st.Uid) != os.Geteuid():
		case st.Mode&0o700 != 0o700:
			return fmt.Errorf("%w; its owner may not use it; run: chmod u+rwx %s", err, printable.ShellQuote(dir))
		default:
			continue
		}
		found, owner = true, int(st.Uid)
	}
	if !found {
		return err
	}
	name := "root"
	if u, e := user.LookupId(strconv.Itoa(owner)); e == nil {
		name = u.Username
	} else if owner != 0 {
		return err
	}
	return fmt.Errorf("%w; the mail belongs to the user %s, so run: sudo -u %s %s", err, name, name, thisCommand())
}

// thisCommand is the command line, as far as it can be typed as it is shown.
func thisCommand() string {
	words := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	for i, w := range words {
		if w == "" || printable.ShellQuote(w) != w {
			return strings.Join(words[:i], " ") + " ..."
		}
	}
	return strings.Join(words, " ")
}

// systemFolders are the folders of a machine's configuration and spool.
func systemFolders() []string { return []string{filepath.Dir(config.SystemFile), config.SystemSpool} }
