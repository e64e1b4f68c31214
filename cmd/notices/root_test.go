package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/schedule"
)

// TestHelp: every command has a group, an example and its page, and no help shows what
// pflag prints for itself.
func TestHelp(t *testing.T) {
	for _, cmd := range newCLI().root().Commands() {
		if cmd.GroupID == "" || cmd.Example == "" {
			t.Errorf("%s has group %q and example %q", cmd.Name(), cmd.GroupID, cmd.Example)
		}
		var b strings.Builder
		cmd.SetOut(&b)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{"true|false", "(default 0", `" "`, "<no value>", "[flags]"} {
			if strings.Contains(b.String(), never) {
				t.Errorf("help %s shows %q:\n%s", cmd.Name(), never, b.String())
			}
		}
		if page := "man notices"; !strings.Contains(b.String(), page) {
			t.Errorf("help %s names no manual page", cmd.Name())
		}
	}
}

func TestInitPath(t *testing.T) {
	cases := []struct {
		name string
		env  map[string]string
		flag string
		root bool
		want string
	}{
		{"said", map[string]string{"NOTICES_CONFIG": "/x"}, "/said", true, "/said"},
		{"environment", map[string]string{"NOTICES_CONFIG": "/x", "HOME": "/home/me"}, "", false, "/x"},
		{"a user", map[string]string{"HOME": "/home/me"}, "", false, "/home/me/.config/notices/notices.toml"},
		{"a user with XDG", map[string]string{"HOME": "/home/me", "XDG_CONFIG_HOME": "/cfg"}, "", false, "/cfg/notices/notices.toml"},
		{"root", map[string]string{"HOME": "/root"}, "", true, config.SystemFile},
		{"root by sudo", map[string]string{"HOME": "/home/me", "SUDO_USER": "me"}, "", true, config.SystemFile},
		{"root with a home that sudo kept", map[string]string{"HOME": "/tmp/x"}, "", true, config.SystemFile},
		{"root with XDG", map[string]string{"HOME": "/root", "XDG_CONFIG_HOME": "/cfg"}, "", true, "/cfg/notices/notices.toml"},
		{"nobody", nil, "", false, config.SystemFile},
	}
	for _, c := range cases {
		a := &cli{Program: &app.Program{Config: c.flag, Getenv: func(key string) string { return c.env[key] }}}
		if got := a.initPath(c.root); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// world is a queue in memory, a clock, and what was said.
type world struct {
	t     *testing.T
	a     *cli
	q     *queue
	now   time.Time
	out   strings.Builder
	said  strings.Builder
	store *maildirtest.Spool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), store: maildirtest.New()}
	w.a = newCLI()
	w.a.Stdout, w.a.Stderr = &w.out, &w.said
	w.a.Now = func() time.Time { return w.now }
	w.q = &queue{store: w.store, policy: schedule.Policy{
		ShortRange: 3 * time.Hour,
		ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
		LongDelay:  [2]time.Duration{time.Hour, 90 * time.Minute},
		GiveUp:     100 * time.Hour,
	}}
	return w
}

// queued puts a message into the spool.
func (w *world) queued(id spool.ID, recipients ...string) {
	w.t.Helper()
	d, err := w.store.New(context.Background(), id)
	w.check(err)
	_, err = d.Write([]byte("Subject: x\r\n\r\ntext\r\n"))
	w.check(err)
	w.check(d.Seal(spool.Envelope{ID: id, Sender: "desk@example.org", Recipients: recipients, QueuedAt: w.now, Size: d.Len()}))
	_, err = w.store.Commit(context.Background(), d)
	w.check(err)
}

// tried gives a message an attempt with those answers.
func (w *world) tried(id spool.ID, n int, answers ...spool.Answer) {
	w.t.Helper()
	c := w.claimed(id)
	w.check(c.Begin(spool.Event{Kind: spool.Try, At: w.now, N: n, Next: w.now.Add(5 * time.Minute)}))
	if answers != nil {
		w.check(c.Append(spool.Event{Kind: spool.Result, At: w.now, N: n, Next: w.now.Add(5 * time.Minute), Results: answers}, spool.Lazy))
	}
	w.check(c.Release())
}

func (w *world) claimed(id spool.ID) spool.Claim {
	w.t.Helper()
	e, err := spool.FindOne(context.Background(), w.store, id)
	w.check(err)
	c, err := w.store.Claim(context.Background(), e)
	w.check(err)
	return c
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(id spool.ID) *spool.Record {
	w.t.Helper()
	e, err := spool.FindOne(context.Background(), w.store, id)
	w.check(err)
	r := w.q.look(context.Background(), e)
	w.check(r.err)
	return r.Record
}

// servers are two of a config.
func servers() []config.Server {
	return []config.Server{{Name: "1", Host: "mail.example.org", Port: 587}, {Name: "2", Host: "backup.example.org", Port: 25}}
}
