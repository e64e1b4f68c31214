package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/oauth"
	"notices/spool/printable"
)

type loginOptions struct {
	NoBrowser bool
	Port      int
	Device    bool
}

// loginCommand is google-login or microsoft-login.
func (a *cli) loginCommand(name, title string) *cobra.Command {
	var o loginOptions
	use := name + "-login [--no-browser] [--port N]"
	cmd := &cobra.Command{
		Short: "Sign in with " + title + ", so that mail can be sent as that account",
		Args:  noArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if err := o.check(); err != nil {
				return app.UsageError("notices "+name+"-login", err)
			}
			return a.login(ctx, name, o)
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

func (o *loginOptions) check() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("--port %d: a port is a number from 1 to 65535", o.Port)
	case o.Device && (o.NoBrowser || o.Port > 0):
		return errors.New("--device needs no browser here: leave --no-browser and --port out")
	}
	return nil
}

// login is the dialogue with the person. It goes to standard error like all that is said
// to a person, but without "notices: " before each line: an address is copied from it.
func (a *cli) login(ctx context.Context, name string, o loginOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return a.withAccount(name, func(client *oauth.Client, state spool.State) error {
		l := &oauth.Login{Client: client, State: state, Port: o.Port, Say: a.dialogue}
		if !o.NoBrowser {
			l.Open = a.browser()
		}
		if _, ok := app.Terminal(a.Stdin); o.NoBrowser || l.Open == nil && ok {
			l.Paste = a.Stdin
		}
		run := l.Run
		if o.Device {
			run = l.RunDevice
		}
		account, err := run(ctx)
		if err != nil {
			return a.notSignedIn(ctx, err)
		}
		_, err = fmt.Fprintf(a.Stdout, "Signed in with %s: mail is sent as %s. To see that it works, run: notices test-server %s\n",
			client.Provider.Name, account.Account, name)
		return err
	})
}

func (a *cli) dialogue(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(a.Stderr, printable.Text(line))
	}
}

// notSignedIn says it line by line.
func (a *cli) notSignedIn(ctx context.Context, err error) error {
	var r *oauth.Refusal
	switch {
	case errors.As(err, &r):
		return app.Fail(app.ExitUnavailable, "%s\n%s", r.Title, strings.Join(r.Lines, "\n"))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return app.Fail(app.ExitUnavailable, "stopped; nothing was changed")
	}
	return err
}

// logoutCommand is google-logout or microsoft-logout.
func (a *cli) logoutCommand(name, title string) *cobra.Command {
	return &cobra.Command{
		Use:   name + "-logout",
		Short: "End the sign-in with " + title,
		Args:  noArgs,
		RunE:  a.does(func(ctx context.Context, _ []string) error { return a.logout(ctx, name) }),
	}
}

func (a *cli) logout(ctx context.Context, name string) error {
	return a.withAccount(name, func(client *oauth.Client, state spool.State) error {
		account, revoked, err := client.Logout(ctx, state)
		if err != nil {
			return err
		}
		if account == "" {
			a.Say("nobody was signed in with %s", client.Provider.Name)
			return nil
		}
		if _, err := fmt.Fprintf(a.Stdout, "Signed out: the sign-in of %s with %s is removed from this machine\n", account, client.Provider.Name); err != nil {
			return err
		}
		switch {
		case revoked != nil && client.Provider.RevokeURL == "":
			a.Say("%s", revoked) // there is no better way
		case revoked != nil:
			return app.Fail(app.ExitUnavailable, "%s", revoked)
		}
		return nil
	})
}

// accountConfig reads the config for a sign-in. Of what is wrong in it only what concerns
// the account is refused: who signs out may do so because the rest is not in order.
func (a *cli) accountConfig(name string) (*config.Config, error) {
	cfg, err := a.Load(config.Everything)
	var problems config.Problems
	if !errors.As(err, &problems) {
		return cfg, err
	}
	mine := slices.DeleteFunc(problems, func(e *config.Error) bool { return !strings.HasPrefix(e.Key, "["+name+"]") })
	if len(mine) > 0 {
		return nil, mine
	}
	return a.Load(config.Intake)
}

// withAccount opens what a sign-in needs: the client, and the state that keeps it.
func (a *cli) withAccount(name string, work func(*oauth.Client, spool.State) error) error {
	cfg, err := a.accountConfig(name)
	if err != nil {
		return err
	}
	if !cfg.Account(name).Usable() {
		return cfg.Missing("["+name+"] client_id", "notices-google(7) tells how to get one")
	}
	client, err := a.client(cfg, name)
	if err != nil {
		return err
	}
	store, err := a.OpenStore(cfg)
	if err != nil {
		return err
	}
	err = work(client, store.State())
	if e := store.Close(); err == nil {
		err = e
	}
	return err
}
