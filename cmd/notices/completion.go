package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
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
	root := a.root(nil) // with all commands
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
