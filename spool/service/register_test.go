package service

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/maildirtest"
)

// host is a register with a clock of its own.
type host struct {
	*Register
	at time.Time
}

func newHost(s spool.State) *host {
	h := &host{at: time.Date(2026, 11, 30, 9, 30, 0, 0, time.UTC)}
	h.Register = &Register{State: s, Now: func() time.Time { return h.at }}
	return h
}

func (h *host) add(t testing.TB, id string) string {
	t.Helper()
	key, err := h.Add(t.Context(), id, "Library "+id, id+"@example.org")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// accepts reports whether a key opens a site.
func (h *host) accepts(t testing.TB, id, key string) bool {
	t.Helper()
	s, err := h.Authenticate(t.Context(), id, key)
	if err != nil && (err != ErrRefused || s != nil) {
		t.Fatalf("%+v, %v", s, err)
	}
	return err == nil
}

// TestKeys: a key opens its site and no other, until a week after it was rotated, or until now.
func TestKeys(t *testing.T) {
	ctx, h := t.Context(), newHost(maildirtest.State())
	first, other := h.add(t, "library"), h.add(t, "school")
	if !regexp.MustCompile(`^[a-z2-7]{52}$`).MatchString(first) || first == other {
		t.Errorf("keys %q and %q", first, other)
	}
	if !h.accepts(t, "library", first) || !h.accepts(t, "Library", first) {
		t.Error("its key does not open the site")
	}
	for _, wrong := range []string{"", other, first[1:], first + "x", strings.ToUpper(first), strings.Repeat("\x00", 32)} {
		if h.accepts(t, "library", wrong) || h.accepts(t, "nobody", wrong) || h.accepts(t, "", wrong) {
			t.Errorf("%q opens", wrong)
		}
	}
	s, err := h.Authenticate(ctx, "library", first)
	if err != nil || s.Name != "Library library" || s.Address != "library@example.org" || s.ID != "library" {
		t.Fatalf("%+v, %v", s, err)
	}
	stored, err := h.State.Load(ctx, pageName(pageOf("library")))
	if err != nil || !strings.Contains(string(stored), "library@example.org") || strings.Contains(strings.ToLower(string(stored)), first) {
		t.Errorf("stored is %s, %v", stored, err)
	}
	second, err := h.Rotate(ctx, "LIBRARY", false)
	if err != nil || !h.accepts(t, "library", first) || !h.accepts(t, "library", second) {
		t.Fatalf("after a rotation: %v", err)
	}
	const week = 7 * 24 * time.Hour
	if s, _ := h.Lookup(ctx, "library"); !s.OldKeyUntil.Equal(h.at.Add(week)) {
		t.Errorf("the old key works until %v", s.OldKeyUntil)
	}
	h.at = h.at.Add(week - time.Second)
	if _, err := h.Still(ctx, s); err != nil {
		t.Errorf("a session with the old key: %v", err)
	}
	h.at = h.at.Add(time.Second)
	if _, err := h.Still(ctx, s); err != ErrRefused || h.accepts(t, "library", first) || !h.accepts(t, "library", second) {
		t.Errorf("a week later: %v", err)
	}
	third, err := h.Rotate(ctx, "library", true)
	if err != nil || h.accepts(t, "library", second) || !h.accepts(t, "library", third) {
		t.Errorf("rotated now: %v", err)
	}
}

// TestRevoke: it ends sessions, keeps name and address, and the id can be added anew.
func TestRevoke(t *testing.T) {
	ctx, h := t.Context(), newHost(maildirtest.State())
	first := h.add(t, "library")
	s, _ := h.Authenticate(ctx, "library", first)
	for range 2 {
		if err := h.Revoke(ctx, "library"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Still(ctx, s); err != ErrRefused || h.accepts(t, "library", first) {
		t.Errorf("it goes on: %v", err)
	}
	if _, err := h.Rotate(ctx, "library", false); !errors.Is(err, ErrRevoked) {
		t.Errorf("rotate: %v", err)
	}
	if s, err := h.Lookup(ctx, "library"); err != nil || s.Revoked.IsZero() || s.Address != "library@example.org" {
		t.Errorf("%+v, %v", s, err)
	}
	h.Used("library", 3)
	if err := h.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	h.at = h.at.Add(time.Hour)
	second := h.add(t, "library")
	if h.accepts(t, "library", first) || !h.accepts(t, "library", second) {
		t.Error("the key of a revoked site opens that which was added anew")
	}
	if list, _ := h.List(ctx); len(list) != 1 || !list[0].LastUsed.IsZero() || !list[0].Revoked.IsZero() {
		t.Errorf("%+v", list)
	}
}

// TestManyRotations: the keys that work at the same time have a limit; the oldest ones go.
func TestManyRotations(t *testing.T) {
	ctx, h := t.Context(), newHost(maildirtest.State())
	keys := []string{h.add(t, "library")}
	for range maxKeys + 1 {
		key, err := h.Rotate(ctx, "library", false)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for i, key := range keys {
		if got, want := h.accepts(t, "library", key), i >= len(keys)-maxKeys; got != want {
			t.Errorf("key %d of %d works: %v", i+1, len(keys), got)
		}
	}
}

// TestMistakes: each is told from the others.
func TestMistakes(t *testing.T) {
	ctx, h := t.Context(), newHost(maildirtest.State())
	h.add(t, "library")
	for _, c := range []struct{ id, name, address string }{
		{"", "x", "a@example.org"}, {"-x", "x", "a@example.org"}, {"a b", "x", "a@example.org"}, {"a@b", "x", "a@example.org"},
		{"bücherei", "x", "a@example.org"}, {strings.Repeat("x", 65), "x", "a@example.org"},
		{"x", "", "a@example.org"}, {"x", "a\r\nBcc: b@example.net", "a@example.org"}, {"x", "\xff", "a@example.org"},
		{"x", "\u202e", "a@example.org"}, {"x", strings.Repeat("x", 201), "a@example.org"},
		{"x", "x", ""}, {"x", "x", "a"}, {"x", "x", "a@example.org\r\nx"},
	} {
		if key, err := h.Add(ctx, c.id, c.name, c.address); !errors.Is(err, ErrInvalid) || key != "" {
			t.Errorf("%+v: %q, %v", c, key, err)
		}
	}
	if key, err := h.Add(ctx, "Library", "x", "a@example.org"); !errors.Is(err, ErrExists) || key != "" {
		t.Errorf("twice: %q, %v", key, err)
	}
	_, rotate := h.Rotate(ctx, "nobody", false)
	_, look := h.Lookup(ctx, "nobody\x00")
	for _, err := range []error{rotate, look, h.Revoke(ctx, "")} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%v", err)
		}
	}
	if list, err := h.List(ctx); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestUse: what several hosts count comes together; the day begins at midnight.
func TestUse(t *testing.T) {
	ctx, state := t.Context(), maildirtest.State()
	a, b := newHost(state), newHost(state)
	a.add(t, "library")
	look := func(today int, last time.Time) {
		t.Helper()
		list, err := b.List(ctx)
		if err != nil || len(list) != 1 || list[0].Today != today || !list[0].LastUsed.Equal(last) {
			t.Errorf("%+v, %v; want %d messages, %v", list, err, today, last)
		}
	}
	look(0, time.Time{})
	a.Used("library", 0)
	b.at = b.at.Add(time.Minute)
	b.Used("library", 1)
	b.Used("library", 1)
	a.Used("library", 3)
	look(0, time.Time{})
	if err := errors.Join(b.Flush(ctx), a.Flush(ctx), a.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	look(5, b.at)
	late, used := a.at, b.at
	b.at = b.at.Add(24 * time.Hour)
	look(0, used)
	b.Used("library", 1)
	a.at = late
	a.Used("library", 7) // a host whose clock is a day behind
	if err := errors.Join(b.Flush(ctx), a.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	look(1, b.at)
}

// failing is a State whose changes fail for a while.
type failing struct {
	spool.State
	err error
}

func (f *failing) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	if f.err != nil {
		return f.err
	}
	return f.State.Update(ctx, name, durable, change)
}

// TestStateFails: no key is given out that is not stored; counts wait.
func TestStateFails(t *testing.T) {
	ctx, f := t.Context(), &failing{State: maildirtest.State(), err: errors.New("disk full")}
	h := newHost(f)
	if key, err := h.Add(ctx, "library", "x", "a@example.org"); !errors.Is(err, f.err) || key != "" {
		t.Errorf("%q, %v", key, err)
	}
	h.Used("library", 2)
	if err := h.Flush(ctx); !errors.Is(err, f.err) {
		t.Errorf("%v", err)
	}
	h.Used("library", 1)
	f.err = nil
	h.add(t, "library")
	if err := h.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if list, err := h.List(ctx); err != nil || list[0].Today != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDamaged: a damaged part of the register is never started anew; damaged counts are.
func TestDamaged(t *testing.T) {
	ctx, state := t.Context(), maildirtest.State()
	h := newHost(state)
	h.add(t, "library")
	write := func(name, text string) {
		t.Helper()
		if err := state.Update(ctx, name, true, func([]byte) ([]byte, error) { return []byte(text), nil }); err != nil {
			t.Fatal(err)
		}
	}
	n := pageOf("library")
	write(usePageName(n), "{")
	if list, err := h.List(ctx); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, text := range []string{"{", `{"library":{"keys":[{"sha256":"00"}]}}`, "[]"} {
		write(pageName(n), text)
		_, list := h.List(ctx)
		_, add := h.Add(ctx, "library", "x", "a@example.org")
		_, auth := h.Authenticate(ctx, "library", "x")
		for _, err := range []error{list, add, auth} {
			if err == nil || err == ErrRefused || !strings.Contains(err.Error(), "backup") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	write(pageName(n), `{"library":null}`)
	if h.accepts(t, "library", "") {
		t.Error("null opens")
	}
}

// TestModel: whatever is done by two processes on the same state, the keys that open a site are
// those that the rules say.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx, spool := t.Context(), maildirtest.New()
		hosts := []*host{newHost(spool.State()), newHost(spool.Reopen().State())}
		valid := map[string]map[string]time.Time{} // by site: key, end
		ids := []string{"a", "b"}
		var keys []string
		act := func(do func(h *host, id string)) func(*rapid.T) {
			return func(rt *rapid.T) {
				do(rapid.SampledFrom(hosts).Draw(rt, "host"), rapid.SampledFrom(ids).Draw(rt, "site"))
			}
		}
		rotate := func(now bool) func(h *host, id string) {
			return func(h *host, id string) {
				key, err := h.Rotate(ctx, id, now)
				if (err == nil) != (valid[id] != nil) {
					rt.Fatalf("rotate %s: %v", id, err)
				}
				if err != nil {
					return
				}
				keys = append(keys, key)
				for k, end := range valid[id] {
					if now || !end.IsZero() && !end.After(h.at) {
						delete(valid[id], k)
					} else if end.IsZero() {
						valid[id][k] = h.at.Add(OldKeyTime)
					}
				}
				valid[id][key] = time.Time{}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": act(func(h *host, id string) {
				key, err := h.Add(ctx, id, "x", "a@example.org")
				if (err == nil) != (valid[id] == nil) {
					rt.Fatalf("add %s: %v", id, err)
				}
				if err == nil {
					keys, valid[id] = append(keys, key), map[string]time.Time{key: {}}
				}
			}),
			"rotate":     act(rotate(false)),
			"rotate now": act(rotate(true)),
			"revoke": act(func(h *host, id string) {
				_ = h.Revoke(ctx, id)
				delete(valid, id)
			}),
			"days": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 8).Draw(rt, "days")) * 24 * time.Hour
				for _, h := range hosts {
					h.at = h.at.Add(d)
				}
			},
			"": func(rt *rapid.T) {
				for _, h := range hosts {
					for _, id := range ids {
						for _, key := range keys {
							end, has := valid[id][key]
							want := has && (end.IsZero() || h.at.Before(end))
							if got := h.accepts(t, id, key); got != want && !(want && len(valid[id]) > maxKeys) {
								rt.Fatalf("key %s of %s: %v, want %v", key, id, got, want)
							}
						}
					}
				}
			},
		})
	})
}

// BenchmarkSites: adding to, listing and asking a register of 5,000 sites.
func BenchmarkSites(b *testing.B) {
	h := newHost(maildirtest.State())
	key := ""
	for i := range 5000 {
		key = h.add(b, fmt.Sprintf("site-%04d", i))
	}
	b.Run("add", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			h.add(b, fmt.Sprintf("more-%06d-%d", i, b.N))
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if list, err := h.List(b.Context()); err != nil || len(list) < 5000 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("authenticate", func(b *testing.B) {
		for b.Loop() {
			if !h.accepts(b, "site-4999", key) {
				b.Fatal("refused")
			}
		}
	})
}

// TestAdopt: the sites of another spool come with their keys, and those that are there stay.
func TestAdopt(t *testing.T) {
	ctx := t.Context()
	from, to := &Register{State: maildirtest.State()}, &Register{State: maildirtest.State()}
	east, err := from.Add(ctx, "east", "East", "desk@east.example")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := from.Add(ctx, "west", "Old West", "old@west.example")
	if err != nil {
		t.Fatal(err)
	}
	west, err := to.Add(ctx, "west", "West", "desk@west.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := to.Adopt(ctx, from.State); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	for id, key := range map[string]string{"east": east, "west": west} {
		if _, err := to.Authenticate(ctx, id, key); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := to.Authenticate(ctx, "west", theirs); err == nil {
		t.Error("a key of the other register replaced one of this")
	}
}

// TestAddedAnew: the name of a revoked site, given to another customer, begins at zero.
func TestAddedAnew(t *testing.T) {
	ctx, h := t.Context(), newHost(maildirtest.State())
	h.add(t, "library")
	h.Used("library", 7)
	late := newHost(h.State) // a host that writes what it has counted when the site is another one
	late.Used("library", 5)
	if err := errors.Join(h.Flush(ctx), h.Revoke(ctx, "library")); err != nil {
		t.Fatal(err)
	}
	h.at = h.at.Add(time.Second)
	h.add(t, "library")
	if err := late.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := h.List(ctx); err != nil || len(all) != 1 || all[0].Today != 0 || !all[0].LastUsed.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := h.Add(ctx, "library", "Third", "c@example.org"); !errors.Is(err, ErrExists) {
		t.Errorf("the error is %v", err)
	}
	// In the same second, too, it begins after the last message of the one before.
	if err := h.Revoke(ctx, "library"); err != nil {
		t.Fatal(err)
	}
	h.add(t, "library")
	if s, err := h.Lookup(ctx, "library"); err != nil || !s.Created.After(h.at) {
		t.Errorf("created at %v, and revoked at %v: %v", s.Created, h.at, err)
	}
}
