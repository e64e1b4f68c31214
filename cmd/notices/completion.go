package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"notices/config"
	"notices/spool"
)

func completionCommand(a *cli) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script for bash, zsh, fish or powershell",
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); strings.Join(args, " ") {
			case "bash":
				return root.GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			case "fish":
				return root.GenFishCompletion(a.Stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.Stdout)
			}
			return fmt.Errorf("for which shell? There is a completion for %s", strings.Join(shells, ", "))
		},
	}
}

// mostIDs is how many queue ids are offered: more than a person looks through.
const mostIDs = 200

// completeIDs offers the ids of messages, with what each one's state is, and to the commands that
// know it, those that left the queue of late. Where the spool cannot be read, it offers nothing.
func (a *cli) completeIDs(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	quietly(a, func(_ *config.Config, store spool.Store) {
		offer := func(e spool.Entry) bool {
			if strings.HasPrefix(string(e.ID), begun) && suits(cmd.Name(), e.State) {
				found = append(found, cobra.CompletionWithDesc(string(e.ID), string(e.State)))
			}
			return len(found) < mostIDs
		}
		_ = store.Scan(cmd.Context(), offer) // what cannot be read is not offered
		if len(found) < mostIDs {
			_ = store.ScanFailed(cmd.Context(), offer)
		}
		if cmd.Name() == "show" || cmd.Name() == "history" {
			found = append(found, a.endedIDs(cmd.Context(), store, begun, mostIDs-len(found))...)
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// endedIDs are at most n ids of messages that left the queue in the last week, the newest ones.
func (a *cli) endedIDs(ctx context.Context, store spool.Store, begun string, n int) []cobra.Completion {
	var found []cobra.Completion
	var last spool.ID
	_, _ = store.History(ctx, spool.HistoryQuery{Since: a.Now().AddDate(0, 0, -7)}, func(e *spool.HistoryEntry) bool {
		if e.ID != last && strings.HasPrefix(string(e.ID), begun) {
			last = e.ID
			found = append(found, cobra.CompletionWithDesc(string(e.ID), string(e.Ending)))
		}
		if len(found) > 2*n {
			found = append(found[:0], found[len(found)-n:]...)
		}
		return true
	})
	return found[max(0, len(found)-n):]
}

// suits reports whether a command is of use for messages in that state.
func suits(command string, state spool.MessageState) bool {
	switch command {
	case "release":
		return state == spool.StateHeld
	case "hold":
		return state != spool.StateHeld && state != spool.StateFailed
	}
	return true
}

// quietly opens config and spool for a completion, which must not print errors.
func quietly(a *cli, work func(*config.Config, spool.Store)) {
	stderr := a.Stderr
	a.Stderr = io.Discard
	defer func() { a.Stderr = stderr }()
	cfg, err := a.Load(config.Intake)
	if err != nil {
		return
	}
	store, err := beside(a, cfg).View()
	if err != nil {
		return
	}
	defer store.Close()
	work(cfg, store)
}

// complete has the values of an option completed.
func complete(cmd *cobra.Command, option string, by cobra.CompletionFunc) {
	_ = cmd.RegisterFlagCompletionFunc(option, by) // fails only for a flag that there is not
}

// completeWords offers the words of a list with commas that are not named yet, after those that are.
func completeWords[T ~string](words ...T) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := begun[:strings.LastIndexByte(begun, ',')+1]
		var found []cobra.Completion
		for _, word := range words {
			if !slices.Contains(strings.Split(before, ","), string(word)) {
				found = append(found, before+string(word))
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeServers offers the names of the servers that are configured.
func (a *cli) completeServers(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	quietly(a, func(cfg *config.Config, _ spool.Store) {
		servers, _ := a.allServers(cfg)
		for _, s := range servers {
			found = append(found, cobra.CompletionWithDesc(s.Name, s.Host))
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeWhen offers points in time.
func completeWhen(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"today", "yesterday", "7d", "30d"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
