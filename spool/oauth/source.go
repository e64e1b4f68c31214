package oauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"notices/spool"
)

// Source gives access tokens for the login at a mail server: it implements TokenSource of
// smtpclient. Many goroutines and processes may use it: if several need a new token at
// once, one of them asks for it.
type Source struct {
	Client *Client
	State  spool.State
	// IgnoreRefusals asks the provider again although it refused less than an hour ago, for
	// commands that ignore the circuit breaker.
	IgnoreRefusals bool
}

// A refusal that needs a person is not tried again for refusedFor; then the account may
// have been unlocked. A sign-in that was not used for idleFor is renewed: Google forgets
// one after six months, and Microsoft after ninety days.
const (
	refusedFor = time.Hour
	idleFor    = 30 * 24 * time.Hour
	retryAfter = time.Hour // after a renewal for idleness that failed
)

// pollTime is the time between two looks at somebody else's renewal.
const pollTime = 50 * time.Millisecond

// Login is the user name for the mail server: the account; empty: nobody signed in.
func (s *Source) Login(ctx context.Context) string {
	k, err := s.Client.tokens(s.State).load(ctx)
	if err != nil {
		return s.Client.Account
	}
	return s.Client.accountOf(k)
}

// CoversMailbox returns an error if the sign-in lacks the permission to read a mailbox; nil:
// it has that, or it is not known. The provider has to be one WithIMAP.
func (s *Source) CoversMailbox(ctx context.Context) error {
	k, err := s.Client.tokens(s.State).load(ctx)
	if err != nil {
		return err
	}
	p := &s.Client.Provider
	needed := slices.DeleteFunc(slices.Clone(p.Scopes), func(s Scope) bool { return !s.Mailbox })
	if len(missing(needed, strings.Join(k.Scopes, " "), s.Client.Service == nil && len(k.Scopes) > 0)) > 0 {
		return errorf("the sign-in with %s does not cover reading mail (IMAP); sign in once more; run: %s", p.Name, p.login())
	}
	return nil
}

// Token returns an access token that has not expired. The error is an *Error, ctx's,
// or the state's.
func (s *Source) Token(ctx context.Context) (string, error) {
	k, err := s.Client.tokens(s.State).load(ctx)
	if err != nil {
		return "", err
	}
	if e := s.Client.whyUnusable(k); e != nil {
		return "", e
	}
	if k.isFresh(s.Client.now()) {
		return k.Access, nil
	}
	return s.Refresh(ctx, "")
}

// Refresh returns another token than stale, which a server has refused: one that somebody
// else has fetched since or fetches now, or a new one.
func (s *Source) Refresh(ctx context.Context, stale string) (string, error) {
	r := &renewal{source: s, stale: stale, owner: rand.Text(), began: s.Client.now()}
	for {
		mine, err := r.claim(ctx)
		switch {
		case err != nil:
			return "", err
		case r.other != "":
			return r.other, nil
		case mine:
			return r.run(ctx)
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// KeepAlive renews a sign-in that was not used for a month.
func (s *Source) KeepAlive(ctx context.Context) error {
	k, err := s.Client.tokens(s.State).load(ctx)
	if err != nil || k.Refresh == "" || s.Client.Service != nil {
		return err
	}
	now := s.Client.now()
	if since := now.Sub(k.IssuedAt); since < idleFor && since > -idleFor {
		return nil
	}
	if k.LastFailure != nil && now.Sub(k.LastFailure.At).Abs() < retryAfter {
		return nil // it was reported then
	}
	_, err = s.Refresh(ctx, k.Access)
	return err
}

// renewal is one call that needs a new token.
type renewal struct {
	source       *Source
	stale, owner string
	began        time.Time
	other        string // somebody else's new token
	refresh      string // the refresh token that the lease was taken with
	account      string
}

// claim looks at the stored value again, which another process may have renewed. mine says
// that it took the lease.
func (r *renewal) claim(ctx context.Context) (mine bool, err error) {
	var refused *Error
	c := r.source.Client
	err = c.tokens(r.source.State).update(ctx, false, func(k *storedToken) error {
		now := c.now()
		mine, refused, r.other = false, c.whyUnusable(k), ""
		switch {
		case refused != nil:
		case k.isFresh(now) && k.Access != r.stale:
			r.other = k.Access
		case k.Lease.live(now):
		case r.isKnownToFail(k.LastFailure, now):
			refused = k.LastFailure.error()
		default:
			k.Lease = &lease{Owner: r.owner, Until: now.Add(leaseTime)}
			r.refresh, r.account, mine = k.Refresh, c.accountOf(k), true
			return nil
		}
		return errKeep
	})
	if refused != nil {
		return false, refused
	}
	return mine && err == nil, err
}

// isKnownToFail reports whether asking again is of no use: somebody else was refused while
// this call waited, or a person was told to act and has not.
func (r *renewal) isKnownToFail(last *failure, now time.Time) bool {
	return last != nil && (last.At.After(r.began) ||
		!last.Temporary && !r.source.IgnoreRefusals && now.Sub(last.At).Abs() < refusedFor)
}

// run renews under the lease. It ignores the end of ctx: a provider that rotates refresh
// tokens may already have replaced the old one.
func (r *renewal) run(ctx context.Context) (string, error) {
	ctx = context.WithoutCancel(ctx)
	c := r.source.Client
	fresh, refused := c.fetch(ctx, r.account, r.refresh)
	var other string
	err := c.tokens(r.source.State).update(ctx, true, func(k *storedToken) error {
		other = ""
		if k.Refresh != r.refresh { // somebody signed in or out, or another process refreshed first
			other = k.Access
			return errKeep
		}
		if k.Lease != nil && k.Lease.Owner == r.owner {
			k.Lease = nil
		}
		if refused != nil {
			k.LastFailure = &failure{At: c.now(), Text: refused.text, Temporary: refused.temporary, Person: refused.person}
			return nil
		}
		k.set(fresh, c.now())
		return nil
	})
	switch {
	case refused != nil && other == "":
		return "", refused
	case other != "" && other != r.stale:
		return other, nil
	case err != nil:
		return "", fmt.Errorf("a new token cannot be stored: %w", err)
	case fresh == nil:
		return "", refused
	}
	return fresh.AccessToken, nil
}

// set stores a new token. A refresh token that comes with it replaces the old one, which is
// no longer valid (rotation, RFC 6749 section 6).
func (k *storedToken) set(t *oauth2.Token, now time.Time) {
	k.Access, k.IssuedAt, k.ExpiresAt, k.LastFailure = t.AccessToken, now, time.Time{}, nil
	if !t.Expiry.IsZero() { // x/oauth2 counts from the system's clock, this from ours
		life := min(max(time.Until(t.Expiry).Round(time.Second), 0), century/2)
		k.ExpiresAt = now.Add(life).Truncate(time.Second)
	}
	if t.RefreshToken != "" {
		k.Refresh = t.RefreshToken
	}
	if scope, ok := t.Extra("scope").(string); ok && scope != "" {
		k.Scopes = strings.Fields(scope)
	}
}

// fetch asks the token server.
func (c *Client) fetch(ctx context.Context, account, refresh string) (*oauth2.Token, *Error) {
	var t *oauth2.Token
	var err error
	secrets := []string{refresh}
	if c.Service != nil {
		t, err = c.Service.token(ctx, c)
	} else {
		var config *oauth2.Config
		if config, err = c.tokenClient(ctx); err == nil {
			secrets = append(secrets, config.ClientSecret)
			t, err = config.TokenSource(c.forTokens(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
		}
	}
	if err == nil && !isToken(t) {
		err = errAnswer
	}
	if err != nil {
		return nil, c.refused(err, account, secrets...)
	}
	return t, nil
}

// isToken reports whether an answer has a valid token.
func isToken(t *oauth2.Token) bool {
	return wellFormed(t.AccessToken) && (t.RefreshToken == "" || wellFormed(t.RefreshToken)) &&
		(t.TokenType == "" || strings.EqualFold(t.TokenType, "bearer"))
}
