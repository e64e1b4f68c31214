package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/submit"
	"notices/spool"
	"notices/spool/faulty"
)

// checkLine runs status --check.
func (w *world) checkLine(o statusOptions) (code int, line string) {
	w.t.Helper()
	o.Check = true
	w.out.Reset()
	err := w.a.status(context.Background(), w.q, servers(), o)
	if err != nil && !errors.As(err, new(*submit.Failure)) {
		w.t.Fatal(err)
	}
	return exitCode(err), w.out.String()
}

func (w *world) flushed(ago time.Duration) {
	w.t.Helper()
	w.state(spool.LastFlushName, spool.LastFlush{At: w.now.Add(-ago)})
}

// TestCheckBoundaries: older than the limit, not as old; by default 15 minutes and two
// hours, SPEC section 3.
func TestCheckBoundaries(t *testing.T) {
	given := statusOptions{Warn: submit.Duration(time.Minute), Critical: submit.Duration(time.Hour)}
	for _, c := range []struct {
		age  time.Duration
		o    statusOptions
		want int
	}{
		{0, statusDefaults(), 0},
		{15 * time.Minute, statusDefaults(), 0},
		{15*time.Minute + time.Second, statusDefaults(), 1},
		{2 * time.Hour, statusDefaults(), 1},
		{2*time.Hour + time.Second, statusDefaults(), 2},
		{time.Minute, given, 0},
		{time.Minute + time.Second, given, 1},
		{time.Hour, given, 1},
		{time.Hour + time.Second, given, 2},
		{20 * time.Minute, statusOptions{Warn: submit.Duration(15 * time.Minute), Critical: submit.Duration(time.Minute)}, 2},
		{3 * time.Hour, statusOptions{Warn: submit.Duration(4 * time.Hour), Critical: submit.Duration(5 * time.Hour)}, 0},
	} {
		w := newWorld(t)
		w.flushed(c.age)
		if code, line := w.checkLine(c.o); code != c.want {
			t.Errorf("a flush %s ago: %d, want %d: %s", c.age, code, c.want, line)
		}
		w = newWorld(t)
		w.queued("A1", "a@example.net")
		w.now = w.now.Add(c.age)
		w.flushed(0)
		if code, line := w.checkLine(c.o); code != c.want {
			t.Errorf("due for %s: %d, want %d: %s", c.age, code, c.want, line)
		}
	}
}

// TestCheckWhatIsNoTrouble: held mail, mail whose next send is to come, an empty spool,
// a server that is left alone: a person may want to know, nobody is woken.
func TestCheckWhatIsNoTrouble(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.check(w.a.hold(context.Background(), w.q, selection{All: true}))
	w.now = w.now.Add(300 * time.Hour)
	w.queued("A2", "a@example.net")
	w.tried("A2", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}})
	w.flushed(time.Minute)
	w.state(spool.HealthName+"2", spool.Health{DownUntil: w.now.Add(time.Minute), Troubles: 1,
		Last: spool.Outcome{Reason: spool.ReasonConnect, Reply: spool.Reply{Text: "no connection | at all"}}})
	code, line := w.checkLine(statusDefaults())
	want := "OK - mail goes out, 0 messages are due, the last flush ran 1m ago; server 2 is left alone after trouble: no connection / at all | " +
		"due=0;;;0 oldest_due=0s;900;7200;0 waiting=1;;;0 held=1;;;0 failed=0;0;;0 aside=0;0;;0 servers_down=1;;;0;2 last_flush=60s;900;7200;0\n"
	if code != 0 || line != want {
		t.Errorf("%d\ngot  %swant %s", code, line, want)
	}
}

// TestCheckNeverFlushed: nobody has set up cron, so it warns though nothing waits yet.
func TestCheckNeverFlushed(t *testing.T) {
	code, line := newWorld(t).checkLine(statusDefaults())
	if code != checkWarning || !strings.HasPrefix(line, "WARNING - notices flush has never run here") || strings.Contains(line, "last_flush=") {
		t.Errorf("%d %s", code, line)
	}
}

func TestCheckFailed(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	w.queued("A1", "a@example.net")
	w.check(w.claimed("A1").Fail(spool.Event{Kind: spool.GiveUp, At: w.now}))
	if code, line := w.checkLine(statusDefaults()); code != checkWarning || !strings.Contains(line, "1 message failed") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckLoginRefused: waiting does not help, so it warns, if another server takes the
// mail or not.
func TestCheckLoginRefused(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	refused := spool.Health{DownUntil: w.now.Add(time.Hour), Troubles: 1,
		Last: spool.Outcome{Reason: spool.ReasonAuth, Reply: spool.Reply{Code: 535, Enhanced: "5.7.8", Text: "authentication failed"}}}
	w.state(spool.HealthName+"1", refused)
	code, line := w.checkLine(statusDefaults())
	if code != checkWarning || !strings.Contains(line, "server 1 refuses the login: 535 5.7.8 authentication failed") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckSignIn: one that waits for a person is critical and says what to run, once;
// one that will mend itself is not.
func TestCheckSignIn(t *testing.T) {
	text := "the sign-in is over; run: notices google-login"
	for person, want := range map[bool]int{true: checkCritical, false: checkOK} {
		w := newWorld(t)
		w.flushed(0)
		w.state(spool.HealthName+"1", spool.Health{DownUntil: w.now.Add(time.Hour), Troubles: 1,
			Last: spool.Outcome{Reason: spool.ReasonToken, Reply: spool.Reply{Text: text}}})
		o := statusDefaults()
		o.Look = func(string, spool.State) (*accountJSON, error) {
			return &accountJSON{Error: &text, needsPerson: person}, nil
		}
		if person {
			o.Look = func(name string, _ spool.State) (*accountJSON, error) {
				if name == "microsoft" {
					return nil, nil
				}
				return &accountJSON{Error: &text, needsPerson: true}, nil
			}
			w.state(spool.HealthName+"1", spool.Health{DownUntil: w.now.Add(time.Hour), Troubles: 1,
				Last: spool.Outcome{Reason: spool.ReasonSecret, Reply: spool.Reply{Text: text}}})
		}
		code, line := w.checkLine(o)
		if code != want || strings.Count(line, "notices google-login") != 1 {
			t.Errorf("needs a person %v: %d %s", person, code, line)
		}
	}
}

// TestCheckDoesNotReadRecords: it runs every minute, so it goes by the listing; but what
// is being attempted is due in the listing only.
func TestCheckDoesNotReadRecords(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.now = w.now.Add(20 * time.Minute)
	for _, id := range []spool.ID{"A2", "A3", "A4"} {
		w.queued(id, "a@example.net")
	}
	w.now = w.now.Add(time.Minute)
	c := w.claimed("A1")
	w.check(c.Begin(spool.Event{Kind: spool.Try, At: w.now, N: 1, Next: w.now.Add(5 * time.Minute)}))
	defer c.Release()
	w.flushed(0)
	looks := 0
	w.q.store = faulty.New(w.store, faulty.Plan{At: 1, Match: func(c faulty.Call) bool {
		if c.Method == "Look" {
			looks++
		}
		return false
	}})
	code, line := w.checkLine(statusDefaults())
	if code != checkOK || !strings.Contains(line, " due=3;") || !strings.Contains(line, "oldest_due=60s") {
		t.Errorf("%d %s", code, line)
	}
	if looks > 2 {
		t.Errorf("%d records were read", looks)
	}
}

// TestPerformanceData follows the guidelines' grammar: 'label'=value[unit];warn;crit;min;max.
func TestPerformanceData(t *testing.T) {
	field := regexp.MustCompile(`^[a-z_]+=[0-9]+s?;[0-9]*;[0-9]*;[0-9]*(;[0-9]+)?$`)
	_, line := busy(t).checkLine(statusDefaults())
	text, data, found := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
	if !found || strings.Contains(data, "|") || strings.Contains(text, "\n") {
		t.Fatalf("%q", line)
	}
	for f := range strings.FieldsSeq(data) {
		if !field.MatchString(f) {
			t.Errorf("%q", f)
		}
	}
}
