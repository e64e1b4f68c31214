package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
)

func versionCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of notices and of Go",
		Args:  noArgs,
		RunE:  a.does(func(context.Context, []string) error { return a.PrintBare(app.VersionText() + "\n") }),
	}
}
