package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"notices/spool"
)

// Source gives access tokens to those who log in at a mail server: it is the
// TokenSource of smtpclient. It may be used by many goroutines, and beside other
// processes: of all who want a new token at once, one asks for it.
type Source struct {
	Client *Client
	State  spool.State
	// Insist asks the provider again although it refused less than an hour ago: for
	// what does not heed the circuit breaker.
	Insist bool
}

// A refusal that needs a person is believed for refusedFor: the account may have been
// unlocked meanwhile. A sign-in that was not used for idleFor is renewed, for Google
// forgets one after six months and Microsoft after ninety days.
const (
	refusedFor = time.Hour
	idleFor    = 30 * 24 * time.Hour
	askedAgain = time.Hour // after a renewal for idleness that failed
)

// pollTime is how often those who wait for another's renewal look.
const pollTime = 50 * time.Millisecond

// Login is the user name for the mail server: the account; empty: nobody signed in.
func (s *Source) Login(ctx context.Context) string {
	k, err := s.Client.recall(ctx, s.State)
	if err != nil {
		return s.Client.Account
	}
	return s.Client.accountOf(k)
}

// Token returns an access token that has not expired. The error is an *Error, ctx's,
// or the state's.
func (s *Source) Token(ctx context.Context) (string, error) {
	k, err := s.Client.recall(ctx, s.State)
	if err != nil {
		return "", err
	}
	if e := s.Client.usableFor(k); e != nil {
		return "", e
	}
	if k.usable(s.Client.now()) {
		return k.Access, nil
	}
	return s.renew(ctx, "")
}

// Refresh returns another token than stale, which a server has refused: the one that
// somebody else has fetched since, or a new one.
func (s *Source) Refresh(ctx context.Context, stale string) (string, error) {
	return s.renew(ctx, stale)
}

// KeepAlive renews a sign-in that was not used for a month.
func (s *Source) KeepAlive(ctx context.Context) error {
	k, err := s.Client.recall(ctx, s.State)
	if err != nil || k.Refresh == "" || s.Client.Service != nil {
		return err
	}
	now := s.Client.now()
	if since := now.Sub(k.IssuedAt); since < idleFor && since > -idleFor {
		return nil
	}
	if k.Trouble != nil && now.Sub(k.Trouble.At).Abs() < askedAgain {
		return nil // told before
	}
	_, err = s.renew(ctx, k.Access)
	return err
}

// errKeep leaves the value as it is.
var errKeep = errors.New("nothing to change")

// renew gets a new token, or the one that somebody else gets meanwhile.
func (s *Source) renew(ctx context.Context, stale string) (string, error) {
	t := &turn{Source: s, stale: stale, owner: rand.Text(), began: s.Client.now()}
	for {
		mine, err := t.claim(ctx)
		switch {
		case err != nil:
			return "", err
		case t.have != "":
			return t.have, nil
		case mine:
			return t.ask(ctx)
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// turn is one caller's way to a new token.
type turn struct {
	*Source
	stale, owner string
	began        time.Time
	have         string // somebody else's new token
	used         string // the refresh token that the lease was taken with
	account      string
}

// claim looks at what is kept, again: another process may have renewed it. mine: the
// lease was taken.
func (t *turn) claim(ctx context.Context) (mine bool, err error) {
	var refused *Error
	c := t.Client
	err = c.update(ctx, t.State, false, func(k *kept) error {
		now := c.now()
		mine, refused, t.have = false, c.usableFor(k), ""
		switch {
		case refused != nil:
		case k.usable(now) && k.Access != t.stale:
			t.have = k.Access
		case k.Lease.live(now):
		case t.told(k, now):
			refused = c.troubled(k)
		default:
			k.Lease = &lease{Owner: t.owner, Until: now.Add(leaseTime)}
			t.used, t.account, mine = k.Refresh, c.accountOf(k), true
			return nil
		}
		return errKeep
	})
	switch {
	case refused != nil:
		return false, refused
	case errors.Is(err, errKeep):
		return false, nil
	}
	return mine && err == nil, err
}

// told reports whether asking would bring what is known: another was refused while this
// one waited, or a person was told to act and has not.
func (t *turn) told(k *kept, now time.Time) bool {
	switch {
	case k.Trouble == nil:
		return false
	case k.Trouble.At.After(t.began):
		return true
	}
	return !k.Trouble.Passes && !t.Insist && now.Sub(k.Trouble.At).Abs() < refusedFor
}

// ask renews under the lease. It is not stopped half way: a provider that rotates
// refresh tokens has then spent the old one.
func (t *turn) ask(ctx context.Context) (string, error) {
	ctx = context.WithoutCancel(ctx)
	fresh, refused := t.Client.fetch(ctx, t.account, t.used)
	var other string
	err := t.Client.update(ctx, t.State, true, func(k *kept) error {
		other = ""
		if k.Refresh != t.used { // somebody signed in, or out, or was faster
			other = k.Access
			return errKeep
		}
		if k.Lease != nil && k.Lease.Owner == t.owner {
			k.Lease = nil
		}
		if refused != nil {
			k.Trouble = &trouble{At: t.Client.now(), Code: refused.Code, Text: refused.text, Passes: refused.passes}
			return nil
		}
		k.renewed(fresh, t.Client.now())
		return nil
	})
	switch {
	case refused != nil && other == "":
		return "", refused
	case errors.Is(err, errKeep) && other != "" && other != t.stale:
		return other, nil
	case err != nil && !errors.Is(err, errKeep):
		return "", fmt.Errorf("a new token cannot be stored: %w", err)
	case fresh == nil:
		return "", refused
	}
	return fresh.AccessToken, nil
}

// renewed writes a new token down. A refresh token that comes with it replaces the old
// one, which is spent (rotation, RFC 6749 section 6).
func (k *kept) renewed(t *oauth2.Token, now time.Time) {
	k.Access, k.IssuedAt, k.ExpiresAt, k.Trouble = t.AccessToken, now, expiry(t, now), nil
	if t.RefreshToken != "" {
		k.Refresh = t.RefreshToken
	}
	if scope, ok := t.Extra("scope").(string); ok && scope != "" {
		k.Scopes = strings.Fields(scope)
	}
}

// expiry is the token's end by our clock. x/oauth2 counts from the system's.
func expiry(t *oauth2.Token, now time.Time) time.Time {
	if t.Expiry.IsZero() {
		return time.Time{}
	}
	life := min(max(time.Until(t.Expiry).Round(time.Second), 0), century/2)
	return now.Add(life).Truncate(time.Second)
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
		if config, err = c.config(ctx); err == nil {
			secrets = append(secrets, config.ClientSecret)
			t, err = config.TokenSource(c.with(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
		}
	}
	if err == nil {
		err = c.sane(t)
	}
	if err != nil {
		return nil, c.refused(err, account, secrets...)
	}
	return t, nil
}

// sane looks at a token before it is believed.
func (c *Client) sane(t *oauth2.Token) error {
	switch {
	case !wellFormed(t.AccessToken), t.RefreshToken != "" && !wellFormed(t.RefreshToken):
		return errAnswer
	case t.TokenType != "" && !strings.EqualFold(t.TokenType, "bearer"):
		return errAnswer
	}
	return nil
}
