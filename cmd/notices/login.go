package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/signin"
	"notices/config"
)

// loginCommand is google-login or microsoft-login.
func loginCommand(a *cli, name, title string) *cobra.Command {
	var o signin.LoginOptions
	use := name + "-login [--no-browser] [--port N]"
	cmd := &cobra.Command{
		Short: "Sign in with " + title + ", so that mail can be sent as that account",
		Args:  noArgs,
		RunE: a.runE(func(ctx context.Context, _ []string) error {
			if err := o.Check(); err != nil {
				return app.UsageError("notices "+name+"-login", err)
			}
			return signin.Login(ctx, a.Program, name, o)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.NoBrowser, "no-browser", false, "open no browser; the address it ends on is pasted here")
	f.IntVar(&o.Port, "port", 0, "have the browser come back to port `N` of this machine; default: any that is free")
	if name == config.AuthMicrosoft {
		use += " [--device]"
		f.BoolVar(&o.Device, "device", false, "sign in by a code that is entered on another device")
	}
	cmd.Use = use
	return cmd
}

// logoutCommand is google-logout or microsoft-logout.
func logoutCommand(a *cli, name, title string) *cobra.Command {
	return &cobra.Command{
		Use:   name + "-logout",
		Short: "End the sign-in with " + title,
		Args:  noArgs,
		RunE:  a.runE(func(ctx context.Context, _ []string) error { return signin.Logout(ctx, a.Program, name) }),
	}
}
