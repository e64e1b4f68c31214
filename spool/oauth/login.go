package oauth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	// Paste is read for the address that the browser ended on; nil: the browser must reach this machine.
	Paste io.Reader
	Say   func(text string)
	Limit time.Duration // 0: five minutes
}

// Refusal is why nobody was signed in. Nothing was changed. The browser's last page shows
// Title and Lines too.
type Refusal struct {
	Title string
	Lines []string
	err   error
}

func (r *Refusal) Error() string { return r.Title + ". " + strings.Join(r.Lines, " ") }

func (r *Refusal) Unwrap() error { return r.err }

// authRequest is a sign-in under way.
type authRequest struct {
	login    *Login
	config   *oauth2.Config // for the browser
	tokens   *oauth2.Config // for the token endpoint
	scopes   []Scope        // that are asked for
	verifier string         // PKCE (RFC 7636)
	state    string         // ties the answer to the question (RFC 6749 10.12)
}

// Run signs in by the browser. The error is a *Refusal, an *Error of the settings,
// ctx's, or the state's.
func (l *Login) Run(ctx context.Context) (SignIn, error) {
	a, err := l.begin(ctx)
	if err != nil {
		return SignIn{}, err
	}
	back, err := l.listen()
	if err != nil {
		return SignIn{}, err
	}
	a.config.RedirectURL = l.Client.Provider.redirect(back.port)
	a.tokens.RedirectURL = a.config.RedirectURL
	ctx, cancel := l.limit(ctx)
	defer cancel()
	back.serve(a)
	l.show(a.address())
	if l.Paste != nil {
		go back.readPaste(ctx, a)
	}
	var o outcome
	select {
	case o = <-back.done:
		back.close()
	case <-ctx.Done():
		back.close()
		select {
		case o = <-back.done: // it came at the last moment
		default:
			o.err = l.timedOut(ctx)
		}
	}
	return o.signIn, o.err
}

// outcome is how a sign-in ended.
type outcome struct {
	signIn SignIn
	err    error
}

// begin makes the client ready for a sign-in.
func (l *Login) begin(ctx context.Context) (*authRequest, error) {
	if l.Client.Service != nil {
		return nil, errorf("[%s] service_account_file is set: a service account needs no sign-in; to test it, run: notices test-server %[1]s", l.Client.Provider.Key)
	}
	config, err := l.Client.config(ctx)
	tokens := config
	if err == nil && l.Client.Broker != nil {
		tokens, err = l.Client.tokenClient(ctx)
	}
	switch {
	case err != nil && l.Client.Broker != nil:
		return nil, l.brokerFailed(l.Client.refused(err, ""))
	case err != nil:
		return nil, err
	}
	return &authRequest{login: l, config: config, tokens: tokens, scopes: scopesOf(&l.Client.Provider, config.Scopes), verifier: oauth2.GenerateVerifier(), state: oauth2.GenerateVerifier()}, nil
}

// errLimit ends a sign-in that took too long.
var errLimit = errors.New("the time is over")

func (l *Login) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, cmp.Or(l.Limit, loginTime), errLimit)
}

// timedOut says why the waiting ended without an answer.
func (l *Login) timedOut(ctx context.Context) error {
	if !errors.Is(context.Cause(ctx), errLimit) {
		return ctx.Err()
	}
	limit := "five minutes"
	if l.Limit > 0 {
		limit = l.Limit.String()
	}
	return l.refuse("The time is over", fmt.Sprintf("No answer came within %s.", limit))
}

// refuse makes a Refusal, which also says that nothing was changed, and what to run.
func (l *Login) refuse(title string, lines ...string) *Refusal {
	return &Refusal{Title: title, Lines: append(lines, "Nothing was changed. To try again, run: "+l.Client.Provider.login())}
}

// address is the address that the person opens.
func (a *authRequest) address() string {
	c := a.login.Client
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.verifier)}, c.Provider.Params...)
	if c.Account != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", c.Account))
	}
	return a.config.AuthCodeURL(a.state, options...)
}

// show always prints the address, and opens it if there is a browser.
func (l *Login) show(address string) {
	p := &l.Client.Provider
	how := "Open this address in any browser:"
	switch {
	case l.Open != nil && l.Open(address) == nil:
		how = "Your browser should open now. If it does not, open this address in it:"
	case l.Paste == nil:
		how = "Open this address in a browser on this machine:"
	}
	l.Say(how + "\n\n" + address + "\n")
	l.Say(fmt.Sprintf("Sign in with %s there as the account that sends the mail, and tick every box.", p.Name))
	if l.Paste != nil {
		l.Say("At the end the browser shows a page, or says that it cannot open one. Copy the address\nthat then stands in its address bar, which begins with " +
			"http://" + p.RedirectHost + ", paste it here and press Enter:")
	}
}

// reply is what the provider sent back through the browser.
type reply struct{ code, state, problem, words string }

// Anybody who finds the port can send an answer with a wrong state, so that it does not end
// the sign-in.
const (
	wrongStateTitle = "This answer belongs to another sign-in"
	wrongStateText  = "The address that came back has another state than the one that was asked with: it is of an earlier try, or somebody else made it."
)

// finish checks a reply that has the right state, gets the token, and stores it if nothing
// is wrong with it. Until then nothing is changed.
func (a *authRequest) finish(ctx context.Context, r reply) (SignIn, error) {
	l := a.login
	switch {
	case r.problem == "access_denied":
		return SignIn{}, l.cancelled()
	case r.problem != "":
		said := answer{code: clean(r.problem, nil), words: clean(r.words, nil)}
		return SignIn{}, l.refuse(l.Client.Provider.Name+" refused the sign-in", "It says: "+said.String()+".")
	case r.code == "":
		return SignIn{}, l.refuse("The address that came back is incomplete", "It has no code in it.")
	}
	t, err := a.tokens.Exchange(l.Client.forTokens(ctx), r.code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return SignIn{}, l.exchangeFailed(err, r.code, a.verifier, a.tokens.ClientSecret)
	}
	return a.store(ctx, t)
}

// cancelled says that the person, or the provider, refused.
func (l *Login) cancelled() *Refusal {
	return l.refuse("The sign-in was cancelled", l.Client.Provider.Name+" says that it was cancelled, or that access was not allowed.")
}

// exchangeFailed says that the token server gave nothing for the code.
func (l *Login) exchangeFailed(err error, secrets ...string) *Refusal {
	if e := brokerError(l.Client, err, secrets); e != nil {
		return l.brokerFailed(e)
	}
	return l.providerFailed(err, secrets...)
}

// providerFailed is exchangeFailed for a call of the provider itself.
func (l *Login) providerFailed(err error, secrets ...string) *Refusal {
	p := &l.Client.Provider
	said := answerOf(err)
	switch {
	case said == nil:
		return l.refuse(p.Name+" cannot be reached now", fmt.Sprintf("%s: %s.", host(p.TokenURL), clean(noAnswerText(err), secrets)))
	case said.code == "invalid_client" || said.code == "unauthorized_client" || said.code == "deleted_client":
		return l.refuse(p.Name+" refuses the client of this site",
			fmt.Sprintf("It says: %s. Check client_id and client_secret_file in [%s]; notices-google(7) tells how to get them.", clean(said.String(), secrets), p.Key))
	}
	return l.refuse(p.Name+" gave no token", "It says: "+clean(said.String(), secrets)+".")
}

// store checks a new token and stores it.
func (a *authRequest) store(ctx context.Context, t *oauth2.Token) (SignIn, error) {
	l, c := a.login, a.login.Client
	if !isToken(t) {
		return SignIn{}, l.refuse(c.Provider.Name+" gave no token that can be used", host(c.Provider.TokenURL)+": "+errAnswer.Error()+".")
	}
	granted, present := t.Extra("scope").(string)
	if lacking := missing(a.scopes, granted, present); len(lacking) > 0 {
		return SignIn{}, l.unticked(lacking)
	}
	if t.RefreshToken == "" {
		return SignIn{}, l.refuse("No lasting permission was given",
			fmt.Sprintf("%s sent no refresh token: mail could be sent for an hour only. End the access of notices at %s first.", c.Provider.Name, c.Provider.AccountURL))
	}
	account := c.identify(ctx, t)
	switch {
	case c.isOtherAccount(account):
		return SignIn{}, l.refuse("This is another account", fmt.Sprintf("You signed in as %s, but [%s] account is %s: sign in as that, or change the setting.",
			account, c.Provider.Key, c.Account))
	case account == "" && c.Account == "":
		return SignIn{}, l.refuse("Whose account this is cannot be known", fmt.Sprintf("%s did not say. Set account in [%s].", c.Provider.Name, c.Provider.Key))
	}
	now := c.now()
	k := &storedToken{Account: account, SignedIn: now.Truncate(time.Second)}
	k.set(t, now)
	if !present {
		k.Scopes = names(a.scopes)
	}
	if err := c.tokens(l.State).put(context.WithoutCancel(ctx), k); err != nil {
		return SignIn{}, err
	}
	return SignIn{Account: c.accountOf(k), Scopes: k.Scopes, ExpiresAt: k.ExpiresAt}, nil
}

// unticked names the boxes that were left out, in the words of the consent page.
func (l *Login) unticked(lacking []Scope) *Refusal {
	p := &l.Client.Provider
	which := "this was"
	if len(lacking) > 1 {
		which = "these were"
	}
	lines := []string{fmt.Sprintf("On the page of %s, %s left out:", p.Name, which)}
	for _, s := range lacking {
		line := "\u201c" + cmp.Or(s.Box, s.Name) + "\u201d."
		if s.For != "" {
			line += " It is needed " + s.For + "."
		}
		lines = append(lines, line)
	}
	lines = append(lines, "Nothing was changed. To try again, and to tick every box this time, run: "+p.login())
	return &Refusal{Title: "Not every box was ticked", Lines: lines}
}

// RunDevice signs in by a code that the person types in on another device (RFC 8628).
// Errors are as those of Run.
func (l *Login) RunDevice(ctx context.Context) (SignIn, error) {
	a, err := l.begin(ctx)
	if err != nil {
		return SignIn{}, err
	}
	ctx, cancel := l.limit(ctx)
	defer cancel()
	p := &l.Client.Provider
	device, err := a.config.DeviceAuth(l.Client.with(ctx))
	if err != nil {
		return SignIn{}, l.providerFailed(err, a.config.ClientSecret)
	}
	if device.DeviceCode == "" || device.UserCode == "" || device.VerificationURI == "" {
		return SignIn{}, l.refuse(p.Name+" gave no code", host(p.DeviceURL)+": "+errAnswer.Error()+".")
	}
	l.Say(fmt.Sprintf("Open this address in any browser, on any device:\n\n%s\n\nand enter this code there: %s\n",
		clean(device.VerificationURI, nil), clean(device.UserCode, nil)))
	l.Say(fmt.Sprintf("Sign in with %s as the account that sends the mail. Waiting...", p.Name))
	t, err := l.poll(ctx, a, device)
	if err != nil {
		return SignIn{}, err
	}
	return a.store(ctx, t)
}

// poll asks whether the person is done, as often as the provider allows.
func (l *Login) poll(ctx context.Context, a *authRequest, device *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	device.Interval = min(max(device.Interval, 0), 60) // a ticker panics below 1; 0 is its default
	t, err := a.tokens.DeviceAccessToken(l.Client.forTokens(ctx), device)
	if err == nil {
		return t, nil
	}
	said := answerOf(err)
	switch {
	case said == nil && context.Cause(ctx) != nil:
		return nil, l.timedOut(ctx)
	case said == nil && errors.Is(err, context.DeadlineExceeded), said != nil && said.code == "expired_token":
		return nil, l.refuse("The code is too old", "It was not entered in time.")
	case said != nil && (said.code == "access_denied" || said.code == "authorization_declined"):
		return nil, l.cancelled()
	}
	return nil, l.exchangeFailed(err, device.DeviceCode, a.tokens.ClientSecret)
}

// claims are the fields that are read of an id token or from the userinfo endpoint.
type claims struct {
	Email string `json:"email"`
	// Name is the address of a Microsoft account that has no mailbox claim.
	Name string `json:"preferred_username"`
}

// address is the first claim that is an address.
func (c claims) address() string {
	for _, a := range []string{c.Email, c.Name} {
		if spool.CheckAddress(a) == nil {
			return a
		}
	}
	return ""
}

// readIDToken reads an id token's claims without checking its signature: it came
// straight from the token endpoint over TLS (OpenID Connect Core 3.1.3.7, 6).
func readIDToken(token string) claims {
	var c claims
	if parts := strings.Split(token, "."); len(parts) == 3 {
		body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		if err != nil || json.Unmarshal(body, &c) != nil {
			return claims{}
		}
	}
	return c
}

// identify finds out who signed in: by the id token, else by the endpoint userinfo of OpenID
// Connect (Core 5.3). It is "" when the provider does not say.
func (c *Client) identify(ctx context.Context, t *oauth2.Token) string {
	id, _ := t.Extra("id_token").(string)
	if a := readIDToken(id).address(); a != "" || c.Provider.UserinfoURL == "" {
		return a
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Provider.UserinfoURL, nil)
	if err != nil {
		return ""
	}
	r.Header.Set("Authorization", "Bearer "+t.AccessToken)
	answer, err := c.http(c.Roots).Do(r)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	var found claims
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&found) != nil {
		return ""
	}
	return found.address()
}
