package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/submit"
	"notices/config"
)

// app is one run of the program. What both programs have, the world they run in and
// the options of every command, is package submit's.
type app struct {
	*submit.Program
	random func(n int64) int64 // uniform in [0, n)
	began  bool                // a command's own work has begun: its errors are no usage errors
}

func newApp() *app { return &app{Program: submit.New(), random: rand.Int64N} }

// run is the whole program; it returns the exit code.
func (a *app) run(args []string) int {
	root := a.root(args)
	if err := known(root, args); err != nil {
		return a.Report(submit.UsageError("notices", err))
	}
	root.SetArgs(args)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return submit.ExitOK
	}
	if !a.began {
		err = submit.UsageError(cmd.CommandPath(), err)
	}
	return a.Report(coded(err))
}

// root builds the command line. Of the subcommands only the one that is called is
// built; all of them for help, for completion and for a name that is unknown.
func (a *app) root(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "notices",
		Short:         "Queues a site's e-mail notices, sends them, and returns what cannot be sent",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("which command? One of: %s", strings.Join(commandNames(), ", "))
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.DisableDefaultCmd = true // ours is in completion.go
	a.Options(root.PersistentFlags())
	if cmd := a.command(invoked(args)); cmd != nil {
		root.AddCommand(cmd)
		return root
	}
	for _, name := range commandNames() {
		root.AddCommand(a.command(name))
	}
	return root
}

// invoked is the command's name among the arguments: the first that is no option
// of the root.
func invoked(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--config":
			i++ // its value
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

func commandNames() []string {
	return []string{
		"enqueue", "import", "sendmail", "flush", "test-server", "status", "list", "show", "retry", "hold",
		"release", "remove", "return", "google-login", "google-logout", "microsoft-login", "microsoft-logout", "init", "check", "version", "completion",
	}
}

// plannedNames are commands that are promised and not built.
func plannedNames() []string {
	return []string{"serve", "service-key"}
}

// command builds one subcommand; nil: there is none of that name.
func (a *app) command(name string) *cobra.Command {
	switch name {
	case "enqueue":
		return a.enqueueCommand()
	case "import":
		return a.importCommand()
	case "sendmail":
		return a.sendmailCommand()
	case "flush":
		return a.flushCommand()
	case "test-server":
		return a.testServerCommand()
	case "status":
		return a.statusCommand()
	case "list":
		return a.listCommand()
	case "show":
		return a.showCommand()
	case "retry":
		return a.retryCommand()
	case "hold":
		return a.holdCommand()
	case "release":
		return a.releaseCommand()
	case "remove":
		return a.removeCommand()
	case "return":
		return a.returnCommand()
	case "google-login":
		return a.loginCommand(config.AuthGoogle, "Google")
	case "google-logout":
		return a.logoutCommand(config.AuthGoogle, "Google")
	case "microsoft-login":
		return a.loginCommand(config.AuthMicrosoft, "Microsoft")
	case "microsoft-logout":
		return a.logoutCommand(config.AuthMicrosoft, "Microsoft")
	case "init":
		return a.initCommand()
	case "check":
		return a.checkCommand()
	case "version":
		return a.versionCommand()
	case "completion":
		return a.completionCommand()
	}
	return nil
}

// known refuses a command that there is none of, before cobra complains of its
// options instead.
func known(root *cobra.Command, args []string) error {
	name := invoked(args)
	if name == "help" {
		name = invoked(args[slices.Index(args, name)+1:])
	}
	if name == "" || strings.HasPrefix(name, "__complete") || slices.Contains(commandNames(), name) {
		return nil
	}
	if slices.Contains(plannedNames(), name) {
		return fmt.Errorf("%s is not in this version of notices yet", name)
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", name, near[0])
	}
	return fmt.Errorf("unknown command %q", name)
}

// does makes a command's work callable by cobra.
func (a *app) does(work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return work(cmd.Context(), args)
	}
}
