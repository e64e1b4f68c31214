package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool/maildir"
)

func TestTokenIsUsedWhileItLives(t *testing.T) {
	f := newFixture(t)
	f.signedIn(10 * time.Minute)
	f.wantToken("access-1")
	if n := f.p.count(tokenPath); n != 0 {
		t.Errorf("%d calls for a token that is good", n)
	}
	if got := f.source().Login(context.Background()); got != library {
		t.Errorf("login %q", got)
	}
}

func TestTokenIsRenewedWhenItHasExpired(t *testing.T) {
	for _, left := range []time.Duration{-time.Hour, 0, 50 * time.Second} {
		f := newFixture(t)
		f.signedIn(left)
		f.p.says(tokenPath, 200, tokenAnswer(nil))
		f.wantToken("access-2")
		f.wantToken("access-2")
		if n := f.p.count(tokenPath); n != 1 {
			t.Errorf("%v left: %d calls, want 1", left, n)
		}
		form := f.p.last(t, tokenPath).form
		for key, want := range map[string]string{"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "client-1", "client_secret": clientSecret} {
			if form.Get(key) != want {
				t.Errorf("%s is %q, want %q", key, form.Get(key), want)
			}
		}
		k := f.stored()
		if k.Refresh != "refresh-1" || !k.ExpiresAt.Equal(noon.Add(time.Hour)) || k.Lease != nil || k.Account != library {
			t.Errorf("stored %+v", k)
		}
	}
}

// A provider whose tokens live for seconds is no reason to ask it without end.
func TestShortLivesAreUsed(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Second)
	f.p.says(tokenPath, 200, tokenAnswer(map[string]any{"expires_in": 5}))
	f.wantToken("access-2")
	f.wantToken("access-2")
	f.clock = f.clock.Add(6 * time.Second)
	f.wantToken("access-2")
	if n := f.p.count(tokenPath); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestRotationIsSaved(t *testing.T) {
	f := newFixture(t)
	f.signedIn(0)
	f.p.says(tokenPath, 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2"}))
	f.wantToken("access-2")
	if k := f.stored(); k.Refresh != "refresh-2" {
		t.Errorf("stored %+v", k)
	}
}

// A server refused the token: another is fetched, once, unless somebody else has it.
func TestRefresh(t *testing.T) {
	f := newFixture(t)
	f.signedIn(30 * time.Minute)
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	ctx := context.Background()
	for range 3 {
		if got, err := f.source().Refresh(ctx, "access-1"); err != nil || got != "access-2" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := f.p.count(tokenPath); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestEightFlushesRefreshOnce: as eight processes do, each with the spool opened by
// itself, at the same moment.
func TestEightFlushesRefreshOnce(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	var sources []*Source
	for range 8 {
		store, err := maildir.Open(dir, maildir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		f.state = store.State()
		sources = append(sources, f.source())
	}
	f.signedIn(-time.Minute)
	// A rotated token that is used twice ends the whole sign-in.
	f.p.on(tokenPath, func(form url.Values) (int, string) {
		if form.Get("refresh_token") != "refresh-1" {
			return 400, `{"error":"invalid_grant"}`
		}
		return 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2"})
	})
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			ask := s.Token
			if i%2 == 1 {
				ask = func(ctx context.Context) (string, error) { return s.Refresh(ctx, "access-1") }
			}
			if got, err := ask(context.Background()); err != nil || got != "access-2" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := f.p.count(tokenPath); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// All who wait for a renewal that fails hear of it; they do not fail one after another.
func TestEightWaitForOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.client.Now = time.Now
		f.clock = time.Now()
		f.signedIn(-time.Minute)
		f.p.says(tokenPath, 0, "")
		began := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := f.source().Token(context.Background())
				f.wantError(err, false, "Google gives no token now", "no answer within 20 seconds", "op.example")
			})
		}
		wg.Wait()
		if took := time.Since(began); took > callLimit+time.Second || f.p.count(tokenPath) != 1 {
			t.Errorf("took %v and %d calls", took, f.p.count(tokenPath))
		}
		if f.stored().Lease != nil {
			t.Error("the lease was left")
		}
		// It passes: the next one asks again at once.
		f.p.says(tokenPath, 200, tokenAnswer(nil))
		f.wantToken("access-2")
		if f.stored().LastFailure != nil {
			t.Error("the trouble is kept although it is over")
		}
	})
}

// A process that died in mid-refresh holds the others up for half a minute at most.
func TestLeaseOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.client.Now = time.Now
		f.clock = time.Now()
		f.signedIn(-time.Minute)
		k := f.stored()
		k.Lease = &lease{Owner: "dead", Until: time.Now().Add(leaseTime)}
		f.store(k)
		f.p.says(tokenPath, 200, tokenAnswer(nil))
		began := time.Now()
		f.wantToken("access-2")
		if took := time.Since(began); took > leaseTime+time.Second {
			t.Errorf("took %v", took)
		}
		// A lease from a clock that was far ahead does not count.
		k = f.stored()
		k.ExpiresAt = time.Now().Add(-time.Second)
		k.Lease = &lease{Owner: "dead", Until: time.Now().Add(24 * time.Hour)}
		f.store(k)
		began = time.Now()
		f.wantToken("access-2")
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	k := f.stored()
	k.Lease = &lease{Owner: "other", Until: f.clock.Add(10 * time.Second)}
	f.store(k)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.source().Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A run that is told to stop while a token is being fetched still keeps what comes: the
// old refresh token may be spent.
func TestAFetchIsNotStoppedHalfWay(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	f.p.on(tokenPath, func(url.Values) (int, string) {
		cancel()
		return 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2"})
	})
	if got, err := f.source().Token(ctx); err != nil || got != "access-2" {
		t.Errorf("%q, %v", got, err)
	}
	if k := f.stored(); k.Refresh != "refresh-2" {
		t.Errorf("stored %+v", k)
	}
}

// Somebody signs in anew, or out, while a token is being fetched: theirs counts.
func TestASignInDuringAFetchCounts(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	f.p.on(tokenPath, func(url.Values) (int, string) {
		f.store(&storedToken{Account: library, Refresh: "refresh-9", Access: "access-9", IssuedAt: f.clock, ExpiresAt: f.clock.Add(time.Hour)})
		return 400, `{"error":"invalid_grant"}`
	})
	f.wantToken("access-9")
	if k := f.stored(); k.Refresh != "refresh-9" || k.LastFailure != nil {
		t.Errorf("stored %+v", k)
	}
}

func TestARefusalIsBelievedForAnHour(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	f.p.says(tokenPath, 400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`)
	for range 3 {
		_, err := f.source().Token(context.Background())
		f.wantError(err, true, "Google no longer accepts the sign-in of "+library, "invalid_grant: Token has been expired or revoked", "run: notices google-login")
	}
	if n := f.p.count(tokenPath); n != 1 {
		t.Errorf("asked %d times within the hour", n)
	}
	insist := f.source()
	insist.IgnoreRefusals = true
	if _, err := insist.Token(context.Background()); err == nil || f.p.count(tokenPath) != 2 {
		t.Errorf("insisting: %v, %d calls", err, f.p.count(tokenPath))
	}
	f.clock = f.clock.Add(61 * time.Minute)
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	f.wantToken("access-2") // the account was unlocked
}

func TestNobodySignedIn(t *testing.T) {
	f := newFixture(t)
	_, err := f.source().Token(context.Background())
	f.wantError(err, true, "nobody is signed in with Google", "run: notices google-login")
	_, err = f.source().Refresh(context.Background(), "x")
	f.wantError(err, true, "run: notices google-login")
	if f.raw() != "" || len(f.p.calls) != 0 {
		t.Errorf("stored %q, %d calls", f.raw(), len(f.p.calls))
	}
}

func TestAnotherAccountThanTheConfigured(t *testing.T) {
	f := newFixture(t)
	f.signedIn(time.Hour)
	f.client.Account = "LIBRARY@example.org"
	f.wantToken("access-1")
	f.client.Account = "branch@example.org"
	_, err := f.source().Token(context.Background())
	f.wantError(err, true, library+" is signed in with Google, but [google] account is branch@example.org", "notices google-login")
}

func TestDamagedValue(t *testing.T) {
	for _, value := range []string{`{`, `[]`, `"x"`, `{"access_token":"a\r\nRSET"}`, `{"refresh_token":7}`} {
		f := newFixture(t)
		if err := f.state.Update(context.Background(), "token-google", true, func([]byte) ([]byte, error) { return []byte(value), nil }); err != nil {
			t.Fatal(err)
		}
		_, err := f.source().Token(context.Background())
		f.wantError(err, true, "is damaged", "notices google-login")
		a, err := f.client.Peek(context.Background(), f.state)
		if err != nil || a.Error == nil {
			t.Errorf("%s: %+v, %v", value, a, err)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	if err := f.source().KeepAlive(ctx); err != nil {
		t.Errorf("nobody signed in: %v", err)
	}
	f.signedIn(time.Hour)
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	days := func(n int) {
		t.Helper()
		f.clock = f.clock.Add(time.Duration(n) * 24 * time.Hour)
		if err := f.source().KeepAlive(ctx); err != nil {
			t.Error(err)
		}
	}
	days(29)
	if n := f.p.count(tokenPath); n != 0 {
		t.Errorf("renewed after 29 days: %d calls", n)
	}
	days(2)
	days(1)
	if n := f.p.count(tokenPath); n != 1 {
		t.Errorf("%d calls after 31 days, want 1", n)
	}
	// A failure is told once an hour, not at every run.
	f.p.says(tokenPath, 503, "")
	days(28)
	f.clock = f.clock.Add(2 * 24 * time.Hour)
	f.wantError(f.source().KeepAlive(ctx), false, "HTTP status 503")
	if err := f.source().KeepAlive(ctx); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// A sign-in from before [bounces] may read no mailbox: with Microsoft it has to be done once
// more, and asks for that then. Google's covers it.
func TestMailbox(t *testing.T) {
	const imap, smtp = "https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"
	for _, c := range []struct {
		provider Provider
		scopes   []string
		want     string
	}{
		{Microsoft("").WithIMAP(), []string{smtp}, "run: notices microsoft-login"},
		{Microsoft("").WithIMAP(), []string{smtp, imap}, ""},
		{Microsoft("").WithIMAP(), nil, ""},
		{Google().WithIMAP(), []string{"openid", MailScope}, ""},
		{Google().WithIMAP(), []string{"openid", "email"}, "run: notices google-login"},
	} {
		f := newFixture(t)
		f.client.Provider = c.provider
		f.store(&storedToken{Account: library, Scopes: c.scopes, Refresh: "refresh-1"})
		err := (&Source{Client: f.client, State: f.state}).CoversMailbox(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %v: %v", c.provider.Name, c.scopes, err)
		}
	}
	p := Microsoft("")
	if asked := names((&Client{Provider: p.WithIMAP(), Account: library}).requestedScopes()); !slices.Contains(asked, imap) {
		t.Errorf("asked for %v", asked)
	}
	if len(p.Scopes) != 2 {
		t.Error("the table itself was changed")
	}
}
