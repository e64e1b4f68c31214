package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"notices/spool"
)

// loginTime is how long a sign-in waits for the person.
const loginTime = 5 * time.Minute

// Login is one sign-in. Say must be set.
type Login struct {
	Client *Client
	State  spool.State
	Port   int // for the browser to come back to; 0: any that is free
	// Open shows an address in a browser; nil: the person does that.
	Open func(address string) error
	// Paste is read for the address that the browser ended on; nil: it must come back here.
	Paste io.Reader
	Say   func(text string)
	Limit time.Duration // 0: five minutes
}

// Refusal is why nobody was signed in. Nothing was changed. Title and Lines are what
// the browser's last page says as well.
type Refusal struct {
	Title string
	Lines []string
	err   error
}

func (r *Refusal) Error() string { return r.Title + ". " + strings.Join(r.Lines, " ") }

func (r *Refusal) Unwrap() error { return r.err }

// asking is a sign-in under way.
type asking struct {
	*Login
	config   *oauth2.Config
	verifier string // PKCE (RFC 7636)
	state    string // ties the answer to the question (RFC 6749 10.12)
}

// Run signs in by the browser. The error is a *Refusal, an *Error of the settings,
// ctx's, or the state's.
func (l *Login) Run(ctx context.Context) (Account, error) {
	a, err := l.begin(ctx)
	if err != nil {
		return Account{}, err
	}
	back, err := l.listen()
	if err != nil {
		return Account{}, err
	}
	defer back.close()
	a.config.RedirectURL = l.Client.Provider.redirect(back.port)
	ctx, cancel := l.limit(ctx)
	defer cancel()
	back.serve(a)
	l.show(a.address())
	pasted := l.readPaste(ctx, a)
	select {
	case done := <-back.done:
		return done.account, done.err
	case done := <-pasted:
		return done.account, done.err
	case <-ctx.Done():
	}
	back.close()
	select {
	case done := <-back.done: // it came at the last moment
		return done.account, done.err
	default:
		return Account{}, l.over(ctx)
	}
}

// outcome is how a sign-in ended.
type outcome struct {
	account Account
	err     error
}

func (l *Login) begin(ctx context.Context) (*asking, error) {
	if l.Client.Service != nil {
		return nil, l.Client.setting(fmt.Sprintf("[%s] service_account_file is set: a service account needs no sign-in; test it by: notices test-server %[1]s",
			l.Client.Provider.Key), nil)
	}
	config, err := l.Client.config(ctx)
	if err != nil {
		return nil, err
	}
	return &asking{Login: l, config: config, verifier: oauth2.GenerateVerifier(), state: oauth2.GenerateVerifier()}, nil
}

// errLimit ends a sign-in that took too long.
var errLimit = errors.New("the time is over")

func (l *Login) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.Limit == 0 {
		l.Limit = loginTime
	}
	return context.WithTimeoutCause(ctx, l.Limit, errLimit)
}

// over says why the waiting ended without an answer.
func (l *Login) over(ctx context.Context) error {
	if !errors.Is(context.Cause(ctx), errLimit) {
		return ctx.Err()
	}
	return l.refuse("The time is over", fmt.Sprintf("No answer came within %s.", spell(l.Limit)))
}

func spell(d time.Duration) string {
	if d == loginTime {
		return "five minutes"
	}
	return d.String()
}

// refuse makes a Refusal; that nothing was changed, and what to run, is added to each.
func (l *Login) refuse(title string, lines ...string) *Refusal {
	return &Refusal{Title: title, Lines: append(lines, "Nothing was changed. To try again, run: "+l.Client.Provider.login())}
}

// address is the one that the person opens.
func (a *asking) address() string {
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.verifier)}, a.Client.Provider.Params...)
	if a.Client.Account != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", a.Client.Account))
	}
	return a.config.AuthCodeURL(a.state, options...)
}

// show tells the address, always, and opens it where there is a browser.
func (l *Login) show(address string) {
	p := &l.Client.Provider
	opened := false
	if l.Open != nil {
		opened = l.Open(address) == nil
	}
	switch {
	case opened:
		l.Say("Your browser should open now. If it does not, open this address in it:\n\n" + address + "\n")
	case l.Paste == nil:
		l.Say("Open this address in a browser on this machine:\n\n" + address + "\n")
	default:
		l.Say("Open this address in any browser:\n\n" + address + "\n")
	}
	l.Say(fmt.Sprintf("Sign in with %s there as the account that sends the mail, and tick every box.", p.Name))
	if l.Paste != nil {
		l.Say("At the end the browser shows a page, or says that it cannot open one. Copy the address\nthat then stands in its address bar, which begins with " +
			"http://" + p.RedirectHost + ", paste it here and press Enter:")
	}
}

// reply is what the provider sent back through the browser.
type reply struct{ code, state, problem, words string }

// An answer with another state than the one that was asked with: anybody who finds the
// port can send one, and so it ends nothing.
const (
	strayTitle = "This answer belongs to another sign-in"
	strayText  = "The address that came back has another state than the one that was asked with: it is of an earlier try, or somebody else made it."
)

// settle judges a reply that has the right state, gets the token, and keeps it if all is as it should be.
// Until then nothing is changed.
func (a *asking) settle(ctx context.Context, r reply) (Account, error) {
	switch {
	case r.problem == "access_denied":
		return Account{}, a.refuse("The sign-in was cancelled", fmt.Sprintf("%s says that it was cancelled, or that access was not allowed.", a.Client.Provider.Name))
	case r.problem != "":
		said := answer{code: clean(r.problem, nil), words: clean(r.words, nil)}
		return Account{}, a.refuse(a.Client.Provider.Name+" refused the sign-in", "It says: "+said.String()+".")
	case r.code == "":
		return Account{}, a.refuse("The address that came back is incomplete", "It has no code in it.")
	}
	t, err := a.config.Exchange(a.Client.with(ctx), r.code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return Account{}, a.notExchanged(err, r.code, a.verifier, a.config.ClientSecret)
	}
	return a.keep(ctx, t)
}

// notExchanged: the token server gave nothing for the code.
func (l *Login) notExchanged(err error, secrets ...string) *Refusal {
	p := &l.Client.Provider
	said := answerOf(err)
	switch {
	case said == nil:
		return l.refuse(p.Name+" cannot be reached now", fmt.Sprintf("%s: %s.", host(p.TokenURL), clean(unheard(err), secrets)))
	case said.code == "invalid_client" || said.code == "unauthorized_client" || said.code == "deleted_client":
		return l.refuse(p.Name+" refuses the client of this site",
			fmt.Sprintf("It says: %s. Check client_id and client_secret_file in [%s]; notices-google(7) tells how to get them.", clean(said.String(), secrets), p.Key))
	}
	return l.refuse(p.Name+" gave no token", "It says: "+clean(said.String(), secrets)+".")
}

// keep checks a new token and stores it.
func (l *Login) keep(ctx context.Context, t *oauth2.Token) (Account, error) {
	c := l.Client
	if c.sane(t) != nil {
		return Account{}, l.refuse(c.Provider.Name+" gave no token that can be used", host(c.Provider.TokenURL)+": "+errAnswer.Error()+".")
	}
	granted, present := t.Extra("scope").(string)
	if lacking := missing(c.asked(), granted, present); len(lacking) > 0 {
		return Account{}, l.unticked(lacking)
	}
	if t.RefreshToken == "" {
		return Account{}, l.refuse("No lasting permission was given",
			fmt.Sprintf("%s sent no refresh token: mail could be sent for an hour only. End the access of notices at %s first.", c.Provider.Name, c.Provider.AccountURL))
	}
	account := c.identify(ctx, t)
	switch {
	case c.otherThan(account):
		return Account{}, l.refuse("This is another account", fmt.Sprintf("You signed in as %s, but [%s] account is %s: sign in as that, or change the setting.",
			account, c.Provider.Key, c.Account))
	case account == "" && c.Account == "":
		return Account{}, l.refuse("Whose account this is cannot be known", fmt.Sprintf("%s did not say. Set account in [%s].", c.Provider.Name, c.Provider.Key))
	}
	now := c.now()
	k := &kept{Account: account, SignedIn: now.Truncate(time.Second)}
	k.renewed(t, now)
	if !present {
		k.Scopes = names(c.asked())
	}
	if err := c.put(context.WithoutCancel(ctx), l.State, k); err != nil {
		return Account{}, err
	}
	return Account{Account: c.accountOf(k), Scopes: k.Scopes, ExpiresAt: k.ExpiresAt}, nil
}

// unticked names the boxes that were left out, in the words of the consent page.
func (l *Login) unticked(lacking []Scope) *Refusal {
	lines := []string{fmt.Sprintf("On the page of %s, this was left out:", l.Client.Provider.Name)}
	if len(lacking) > 1 {
		lines[0] = fmt.Sprintf("On the page of %s, these were left out:", l.Client.Provider.Name)
	}
	for _, s := range lacking {
		box := s.Box
		if box == "" {
			box = s.Name
		}
		line := "\u201c" + box + "\u201d."
		if s.For != "" {
			line += " It is needed " + s.For + "."
		}
		lines = append(lines, line)
	}
	lines = append(lines, "Nothing was changed. To try again, and to tick every box this time, run: "+l.Client.Provider.login())
	return &Refusal{Title: "Not every box was ticked", Lines: lines}
}
