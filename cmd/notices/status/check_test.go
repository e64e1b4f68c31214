package status

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/queue"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
)

// checkLine runs status --check.
func (w *world) checkLine(o Options) (code int, line string) {
	w.T.Helper()
	o.Check = true
	w.Out.Reset()
	err := Run(context.Background(), w.q, withServers(o))
	if err != nil && !errors.As(err, new(*app.Failure)) {
		w.T.Fatal(err)
	}
	return app.ExitCode(err), w.Out.String()
}

func (w *world) flushed(ago time.Duration) {
	w.T.Helper()
	w.SetState(spool.LastFlushName, spool.LastFlush{At: w.Now.Add(-ago)})
}

// TestCheckBoundaries: older than the limit, not as old; by default 15 minutes and two
// hours.
func TestCheckBoundaries(t *testing.T) {
	given := Options{Warn: app.Duration(time.Minute), Critical: app.Duration(time.Hour)}
	for _, c := range []struct {
		age  time.Duration
		o    Options
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
		{20 * time.Minute, Options{Warn: app.Duration(15 * time.Minute), Critical: app.Duration(time.Minute)}, 2},
		{3 * time.Hour, Options{Warn: app.Duration(4 * time.Hour), Critical: app.Duration(5 * time.Hour)}, 0},
	} {
		w := newWorld(t)
		w.flushed(c.age)
		if code, line := w.checkLine(c.o); code != c.want {
			t.Errorf("a flush %s ago: %d, want %d: %s", c.age, code, c.want, line)
		}
		w = newWorld(t)
		w.Queue("A1", "a@example.net")
		w.Now = w.Now.Add(c.age)
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
	w.Queue("A1", "a@example.net")
	w.Check(w.q.Hold(context.Background(), queue.Selection{All: true}))
	w.Now = w.Now.Add(300 * time.Hour)
	w.Queue("A2", "a@example.net")
	w.Try("A2", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}})
	w.flushed(time.Minute)
	w.SetState(spool.HealthName+"2", spool.Health{DownUntil: w.Now.Add(time.Minute), Troubles: 1,
		Last: spool.Outcome{Reason: spool.ReasonConnect, Reply: spool.Reply{Text: "no connection | at all"}}})
	code, line := w.checkLine(statusDefaults())
	want := "OK - mail goes out, 0 messages are due, the last flush ran 1m ago, 1 message waits for its recipients, whose server does not take it yet; " +
		"server 2 is not accepting mail: no connection / at all | " +
		"due=0;;;0 oldest_due=0s;900;7200;0 waiting=1;;;0 waiting_for_server=0;;;0 oldest_waiting_for_server=0s;900;7200;0 held=1;;;0 failed=0;0;;0 aside=0;0;;0 servers_down=1;;;0;2 last_flush=60s;900;7200;0\n"
	if code != 0 || line != want {
		t.Errorf("%d\ngot  %swant %s", code, line, want)
	}
}

// TestCheckNeverFlushed: nobody has set up cron, so it warns though nothing waits yet.
func TestCheckNeverFlushed(t *testing.T) {
	code, line := newWorld(t).checkLine(statusDefaults())
	if code != Warning || !strings.HasPrefix(line, "WARNING - notices flush has never run here") || strings.Contains(line, "last_flush=") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckNeverServed: a service that sends needs no cron, and is told to be started.
func TestCheckNeverServed(t *testing.T) {
	for deliver, want := range map[bool]string{
		true: "WARNING - no mail was sent here yet; notices serve begins within seconds", false: "WARNING - notices flush has never run here; cron",
	} {
		o := statusDefaults()
		o.Config = &config.Config{}
		o.Config.Serve.Address, o.Config.Serve.Deliver = "noreply@service.example", deliver
		if code, line := newWorld(t).checkLine(o); code != Warning || !strings.HasPrefix(line, want) || strings.Contains(line, "last_flush=") {
			t.Errorf("%d %s", code, line)
		}
	}
}

func TestCheckFailed(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	w.Queue("A1", "a@example.net")
	w.Check(w.Claim("A1").Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	if code, line := w.checkLine(statusDefaults()); code != Warning || !strings.Contains(line, "1 message failed") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckLoginRefused: waiting does not help, so it warns, if another server takes the
// mail or not.
func TestCheckLoginRefused(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	refused := spool.Health{DownUntil: w.Now.Add(time.Hour), Troubles: 1,
		Last: spool.Outcome{Reason: spool.ReasonAuth, Reply: spool.Reply{Code: 535, Enhanced: "5.7.8", Text: "authentication failed"}}}
	w.SetState(spool.HealthName+"1", refused)
	code, line := w.checkLine(statusDefaults())
	if code != Warning || !strings.Contains(line, "server 1 refuses the login: 535 5.7.8 authentication failed") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckNoServer: all servers down for longer than --warn is critical; before that it
// is said, and not that mail goes out. One that works is enough.
func TestCheckNoServer(t *testing.T) {
	const at = 15 * time.Minute
	hour := app.Duration(time.Hour)
	for _, c := range []struct {
		name     string
		one, two time.Duration // how long they have been down; 0: they are not
		o        Options
		want     int
		goesOut  bool
	}{
		{"both", at + time.Second, 2 * time.Hour, statusDefaults(), Critical, false},
		{"the second just now", 2 * time.Hour, at, statusDefaults(), OK, false},
		{"one", 2 * time.Hour, 0, statusDefaults(), OK, true},
		{"both, and --warn", 50 * time.Minute, 2 * time.Hour, Options{Warn: hour, Critical: 5 * hour}, OK, false},
		{"both, for longer than --warn", 61 * time.Minute, 2 * time.Hour, Options{Warn: hour, Critical: 5 * hour}, Critical, false},
	} {
		w := newWorld(t)
		w.flushed(0)
		for name, ago := range map[string]time.Duration{"1": c.one, "2": c.two} {
			if ago > 0 {
				// The pause is over long since: nothing was due, so nothing was tried.
				w.SetState(spool.HealthName+name, spool.Health{DownUntil: w.Now.Add(-time.Minute), Troubles: 1, Since: w.Now.Add(-ago),
					Last: spool.Outcome{Reason: spool.ReasonDNS, Reply: spool.Reply{Text: "no such host", At: w.Now.Add(-ago)}}})
			}
		}
		code, line := w.checkLine(c.o)
		if code != c.want || strings.Contains(line, "mail goes out, ") != c.goesOut || strings.Contains(line, "no mail goes out") == c.goesOut {
			t.Errorf("%s: %d %s", c.name, code, line)
		}
		w.Out.Reset()
		w.Check(Run(context.Background(), w.q, withServers(c.o)))
		if strings.HasPrefix(w.Out.String(), "All is well") {
			t.Errorf("%s: %s", c.name, w.Out.String())
		}
		w.SetState(spool.TestName+"2", spool.TestResult{At: w.Now, OK: true})
		if code, line := w.checkLine(c.o); code != OK || !strings.Contains(line, "mail goes out, ") {
			t.Errorf("%s, and a test went well since: %d %s", c.name, code, line)
		}
	}
}

// TestCheckWaitsForServer: mail that a server put off alarms by its age, whatever its next
// send; mail of recipients does not. When the server has taken another message since, it
// is over, but not for a message that it put off itself.
func TestCheckWaitsForServer(t *testing.T) {
	for _, c := range []struct {
		scope      spool.Scope
		age        time.Duration
		want, back int
	}{
		{spool.ServerScope, 15 * time.Minute, OK, OK},
		{spool.ServerScope, 15*time.Minute + time.Second, Warning, OK},
		{spool.MessageScope, 16 * time.Minute, Warning, Warning},
		{spool.ServerScope, 2*time.Hour + time.Second, Critical, OK},
		{spool.RecipientScope, 90 * time.Hour, OK, OK},
	} {
		w := newWorld(t)
		w.Queue("A1", "a@example.net")
		w.Now = w.Now.Add(c.age)
		w.Try("A1", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred, Scope: c.scope}, To: []int{0}})
		w.flushed(0)
		code, line := w.checkLine(statusDefaults())
		if code != c.want {
			t.Errorf("%s, %s: %d %s", c.scope, c.age, code, line)
		}
		w.SetState(spool.HealthName+"1", spool.Health{AcceptedAt: w.Now.Add(time.Minute)})
		w.Now = w.Now.Add(2 * time.Minute)
		w.flushed(0)
		if code, line := w.checkLine(statusDefaults()); code != c.back && c.age != 15*time.Minute {
			t.Errorf("%s, %s, and another one was taken: %d %s", c.scope, c.age, code, line)
		}
	}
}

// TestCheckConfigRefused: what flush refuses is critical at once, and is said first.
func TestCheckConfigRefused(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	o := statusDefaults()
	o.Refused = errors.New("notices.toml:5: [[server]] 1 ca_file names a file that does not exist\nnotices.toml:9: [log] too")
	code, line := w.checkLine(o)
	if code != Critical || !strings.HasPrefix(line, "CRITICAL - no mail goes out: notices flush refuses the configuration; ") ||
		!strings.Contains(line, "ca_file names a file that does not exist (and 1 more)") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckServing: while serve sends, a mistake in the config and a flush that failed do not mean that no
// mail goes out. Once serve was stopped, or is silent, they do.
func TestCheckServing(t *testing.T) {
	const refused, failed = "notices flush refuses the configuration", "the last notices flush failed"
	for name, c := range map[string]struct {
		refused bool
		served  time.Duration // ago; 0: serve never ran
		failed  time.Duration // ago; 0: no flush failed
		stopped bool
		want    string
		goesOut bool
	}{
		"a mistake":                        {true, time.Minute, 0, false, refused + "; mail goes out by the settings from before", true},
		"a mistake, which flush met":       {true, time.Minute, time.Second, false, refused + "; mail goes out by the settings from before", true},
		"a mistake, and serve was stopped": {true, time.Minute, 0, true, noMail + refused, false},
		"a mistake, and serve was killed":  {true, servingAge + time.Second, 0, false, noMail + refused, false},
		"a mistake without serve":          {true, 0, 0, false, noMail + refused, false},
		"flush failed before":              {false, time.Minute, 2 * time.Minute, false, "OK - mail goes out, ", true},
		"and serve was stopped since":      {false, time.Minute, 2 * time.Minute, true, "OK - mail goes out, ", true},
		"flush failed since":               {false, 2 * time.Minute, time.Minute, false, failed, true},
		"flush failed after serve":         {false, 2 * time.Minute, time.Minute, true, noMail + failed, false},
	} {
		w, o := newWorld(t), statusDefaults()
		last := spool.LastFlush{At: w.Now, Serving: !c.stopped}
		if c.served > 0 {
			last.ServedAt = w.Now.Add(-c.served)
		}
		w.SetState(spool.LastFlushName, last)
		if c.failed > 0 {
			at := w.Now.Add(-c.failed)
			w.SetState(alert.StateName, alert.Entries{announce.KeyFlush: {Since: at, Seen: at, Cause: "no connection"}})
		}
		if c.refused {
			o.Refused = errors.New("notices.toml:5: unknown key")
		}
		code, line := w.checkLine(o)
		if !strings.Contains(line, c.want) || (code == Critical) != c.refused || strings.Contains(line, noMail) == c.goesOut {
			t.Errorf("%s: %d %s", name, code, line)
		}
		s, err := collect(t.Context(), w.q, withServers(o))
		if err != nil || s.sendingOK() != c.goesOut {
			t.Errorf("%s: %v, sending %v", name, err, !c.goesOut)
		}
	}
}

// TestCheckFlushFails: the last run failed; that is told, and not that mail goes out.
func TestCheckFlushFails(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	w.SetState(alert.StateName, alert.Entries{announce.KeyFlush: {Since: w.Now, Cause: "the spool cannot be written: no space left on device"}})
	code, line := w.checkLine(statusDefaults())
	if code != OK || strings.Contains(line, "mail goes out, ") || !strings.Contains(line, "the last notices flush failed: the spool cannot be written") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckClockSetBack: a last flush in the future does not count as one.
func TestCheckClockSetBack(t *testing.T) {
	w := newWorld(t)
	w.flushed(-16 * time.Minute)
	if code, line := w.checkLine(statusDefaults()); code != Warning || !strings.Contains(line, "the clock was set back") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckSignIn: one that waits for a person is critical and says what to run, once;
// one that will mend itself is not.
func TestCheckSignIn(t *testing.T) {
	text := "the sign-in is over; run: notices google-login"
	for person, want := range map[bool]int{true: Critical, false: OK} {
		w := newWorld(t)
		w.flushed(0)
		w.SetState(spool.HealthName+"1", spool.Health{DownUntil: w.Now.Add(time.Hour), Troubles: 1,
			Last: spool.Outcome{Reason: spool.ReasonToken, Reply: spool.Reply{Text: text}}})
		o := statusDefaults()
		o.SignIn = func(string, spool.State) (*SignIn, error) {
			return &SignIn{Error: &text, NeedsPerson: person}, nil
		}
		if person {
			o.SignIn = func(name string, _ spool.State) (*SignIn, error) {
				if name == "microsoft" {
					return nil, nil
				}
				return &SignIn{Error: &text, NeedsPerson: true}, nil
			}
			w.SetState(spool.HealthName+"1", spool.Health{DownUntil: w.Now.Add(time.Hour), Troubles: 1,
				Last: spool.Outcome{Reason: spool.ReasonSecret, Reply: spool.Reply{Text: text}}})
		}
		code, line := w.checkLine(o)
		if code != want || strings.Count(line, "notices google-login") != 1 {
			t.Errorf("needs a person %v: %d %s", person, code, line)
		}
	}
}

// TestCheckInFlight: what is being attempted is due in the listing only, and does not
// wait.
func TestCheckInFlight(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Now = w.Now.Add(20 * time.Minute)
	for _, id := range []spool.ID{"A2", "A3", "A4"} {
		w.Queue(id, "a@example.net")
	}
	w.Now = w.Now.Add(time.Minute)
	c := w.Claim("A1")
	w.Check(c.Begin(spool.Event{Kind: spool.Try, At: w.Now, N: 1, Next: w.Now.Add(5 * time.Minute)}))
	defer c.Release()
	w.flushed(0)
	code, line := w.checkLine(statusDefaults())
	if code != OK || !strings.Contains(line, " due=3;") || !strings.Contains(line, "oldest_due=60s") || !strings.Contains(line, "waiting_for_server=0;") {
		t.Errorf("%d %s", code, line)
	}
	w.Now = w.Now.Add(3 * time.Hour) // it hangs, and other flushes run beside it
	w.flushed(0)
	if code, line := w.checkLine(statusDefaults()); code != Critical || !strings.Contains(line, "1 message waits for a server, the oldest for 3h 0m") {
		t.Errorf("%d %s", code, line)
	}
}

// TestCheckReadsFewRecords: it runs every minute, so of very many messages it reads the
// oldest ones and some of the rest.
func TestCheckReadsFewRecords(t *testing.T) {
	list := make([]spool.Entry, 100_000)
	for i := range list {
		list[i].ID = spool.ID(fmt.Sprintf("%06d", len(list)-i))
	}
	got := sample(list, 1000)
	if len(got) != 1000 || got[0].ID != "000001" || got[499].ID != "000500" || got[999].ID < "099700" {
		t.Errorf("%d, %s to %s and %s", len(got), got[0].ID, got[499].ID, got[999].ID)
	}
	if seen := len(slices.CompactFunc(got, func(a, b spool.Entry) bool { return a.ID == b.ID })); seen != 1000 {
		t.Errorf("only %d different ones", seen)
	}
}

// TestPerformanceData follows the guidelines' grammar: 'label'=value[unit];warn;crit;min;max.
func TestPerformanceData(t *testing.T) {
	field := regexp.MustCompile(`^[a-z_]+=[0-9]+s?;[0-9]*;[0-9]*;[0-9]*(;[0-9]+)?$`)
	_, line := on(fakesite.BadDay(t)).checkLine(statusDefaults())
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
