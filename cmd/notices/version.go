package main

import (
	"context"

	"github.com/spf13/cobra"
)

func versionCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of notices and of Go",
		Args:  noArgs,
		RunE:  a.does(func(context.Context, []string) error { return a.PrintVersion() }),
	}
}
