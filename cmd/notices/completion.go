package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"notices/config"
	"notices/spool"
)

func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script for bash, zsh, fish or powershell",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: shells(),
		RunE:      a.does(func(_ context.Context, args []string) error { return a.completion(args[0]) }),
	}
}

func (a *app) completion(shell string) error {
	root := a.root()
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.Stdout, true)
	case "zsh":
		return root.GenZshCompletion(a.Stdout)
	case "fish":
		return root.GenFishCompletion(a.Stdout, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(a.Stdout)
	}
	return fmt.Errorf("no completion for %s; there is one for %s", shell, strings.Join(shells(), ", "))
}

// mostIDs is how many queue ids are offered: more than a person looks through.
const mostIDs = 200

// completeIDs offers the ids of messages, with what each one's state is. Where the spool
// cannot be read there are none to offer.
func (a *app) completeIDs(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	a.quietly(func(_ *config.Config, store spool.Store) {
		offer := func(e spool.Entry) bool {
			if strings.HasPrefix(string(e.ID), begun) {
				found = append(found, cobra.CompletionWithDesc(string(e.ID), string(e.State)))
			}
			return len(found) < mostIDs
		}
		_ = store.Scan(cmd.Context(), offer) // what cannot be read is not offered
		if len(found) < mostIDs {
			_ = store.ScanFailed(cmd.Context(), offer)
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeServers offers what test-server takes.
func (a *app) completeServers(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	found := []cobra.Completion{cobra.CompletionWithDesc("all", "all that is configured")}
	a.quietly(func(cfg *config.Config, _ spool.Store) {
		servers, _ := a.testable(cfg)
		for _, s := range servers {
			found = append(found, cobra.CompletionWithDesc(s.Name, s.Host))
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// quietly opens config and spool for a completion, which must print nothing else.
func (a *app) quietly(work func(*config.Config, spool.Store)) {
	stderr := a.Stderr
	a.Stderr = io.Discard
	defer func() { a.Stderr = stderr }()
	cfg, err := a.Load(config.Intake)
	if err != nil {
		return
	}
	store, err := a.OpenStore(cfg)
	if err != nil {
		return
	}
	defer store.Close()
	work(cfg, store)
}

func completeStates(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{string(spool.StateQueued), string(spool.StateDeferred), string(spool.StateHeld), string(spool.StateFailed)},
		cobra.ShellCompDirectiveNoFileComp
}
