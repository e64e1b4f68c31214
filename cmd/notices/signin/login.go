package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/oauth"
)

// LoginOptions are the options of google-login and microsoft-login.
type LoginOptions struct {
	NoBrowser bool
	Port      int
	Device    bool
}

// Check refuses options that exclude each other or make no sense.
func (o *LoginOptions) Check() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("--port %d: a port is a number from 1 to 65535", o.Port)
	case o.Device && (o.NoBrowser || o.Port > 0):
		return errors.New("--device needs no browser here: leave --no-browser and --port out")
	}
	return nil
}

// Login is the dialogue with the person. It goes to standard error without "notices: " before
// each line, because the person copies an address from it.
func Login(ctx context.Context, p *app.Program, name string, o LoginOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return withAccount(p, name, func(client *oauth.Client, state spool.State) error {
		l := &oauth.Login{Client: client, State: state, Port: o.Port, Say: func(text string) { term.SayLines(p.Stderr, text) }}
		if !o.NoBrowser {
			l.Open = browser(p.Getenv)
		}
		if _, ok := app.Terminal(p.Stdin); o.NoBrowser || l.Open == nil && ok {
			l.Paste = p.Stdin
		}
		run := l.Run
		if o.Device {
			run = l.RunDevice
		}
		account, err := run(ctx)
		if err != nil {
			return notSignedIn(ctx, err)
		}
		_, err = fmt.Fprintf(p.Stdout, "Signed in with %s: mail is sent as %s. To see that it works, run: notices test-server %s\n",
			client.Provider.Name, account.Account, name)
		return err
	})
}

// notSignedIn says it line by line.
func notSignedIn(ctx context.Context, err error) error {
	var r *oauth.Refusal
	switch {
	case errors.As(err, &r):
		return app.Fail(app.ExitUnavailable, "%s\n%s", r.Title, strings.Join(r.Lines, "\n"))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return app.Fail(app.ExitUnavailable, "stopped; nothing was changed")
	}
	return err
}

// Logout ends a sign-in.
func Logout(ctx context.Context, p *app.Program, name string) error {
	return withAccount(p, name, func(client *oauth.Client, state spool.State) error {
		account, revoked, err := client.Logout(ctx, state)
		if err != nil {
			return err
		}
		if account == "" {
			p.Say("nobody was signed in with %s", client.Provider.Name)
			return nil
		}
		if _, err := fmt.Fprintf(p.Stdout, "Signed out: the sign-in of %s with %s is removed from this machine\n", account, client.Provider.Name); err != nil {
			return err
		}
		switch {
		case revoked != nil && client.Provider.RevokeURL == "":
			p.Say("%s", revoked) // there is no better way
		case revoked != nil:
			return app.Fail(app.ExitUnavailable, "%s", revoked)
		}
		return nil
	})
}

// accountConfig reads the config for a sign-in. It refuses only errors of the account: a
// person may sign out because the rest is wrong.
func accountConfig(p *app.Program, name string) (*config.Config, error) {
	cfg, err := p.Load(config.Everything)
	var problems config.Problems
	if !errors.As(err, &problems) {
		return cfg, err
	}
	mine := slices.DeleteFunc(problems, func(e *config.Error) bool {
		return !strings.HasPrefix(e.Key, "["+name+"]") && !strings.HasPrefix(e.Key, "[service]")
	})
	if len(mine) > 0 {
		return nil, mine
	}
	return p.Load(config.Intake)
}

// withAccount opens what a sign-in needs: the client, and the state that keeps it.
func withAccount(p *app.Program, name string, work func(*oauth.Client, spool.State) error) error {
	cfg, err := accountConfig(p, name)
	if err != nil {
		return err
	}
	if !cfg.Account(name).Usable() {
		return cfg.Missing("["+name+"] client_id", "notices-google(7) tells how to get one")
	}
	client, err := newClient(p, cfg, name)
	if err != nil {
		return err
	}
	store, err := p.OpenStore(cfg)
	if err != nil {
		return err
	}
	err = work(client, store.State())
	return cmp.Or(err, store.Close())
}

// browser returns what opens an address in a person's browser; nil: there is no browser,
// or no screen to show it on. $BROWSER is a list of commands with : between them, in which %s
// stands for the address, as xdg-open(1) and others read it.
func browser(getenv func(string) string) func(address string) error {
	var commands []string
	if own := getenv("BROWSER"); own != "" {
		commands = strings.Split(own, ":")
	} else if getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "" || runtime.GOOS == "darwin" || getenv("WSL_DISTRO_NAME") != "" {
		commands = []string{"xdg-open", "open", "wslview", "sensible-browser", "x-www-browser", "firefox", "chromium"}
	}
	for _, command := range commands {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if path, err := exec.LookPath(words[0]); err == nil {
			return func(address string) error { return start(path, words[1:], address) }
		}
	}
	return nil
}

// start starts the browser in a session of its own: it outlives the sign-in, and a signal to
// that does not reach it.
func start(path string, options []string, address string) error {
	args, placed := []string{}, false
	for _, o := range options {
		placed = placed || strings.Contains(o, "%s")
		args = append(args, strings.ReplaceAll(o, "%s", address))
	}
	if !placed {
		args = append(args, address)
	}
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // that no dead process stays behind
	return nil
}
