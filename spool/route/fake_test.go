package route

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/rate"
	"notices/spool/smtpclient"
)

// fake is a server played by two functions. The zero value takes everything.
type fake struct {
	name string
	// dial answers the nth dial (from 1); nil: it works.
	dial func(ctx context.Context, n int) error
	// answer answers a transaction, the nth on its connection; nil: delivered.
	answer func(ctx context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result
	notice string

	mu    sync.Mutex
	dials int
	sends int
	lines []*fakeClient
	now   int // connections open
	peak  int
}

type fakeClient struct {
	f              *fake
	id             int
	sent, on, most int // most: transactions at once
	broken, closed bool
	quit           bool
}

func (f *fake) open(ctx context.Context, s *smtpclient.Server) (client, error) {
	f.mu.Lock()
	f.dials++
	n := f.dials
	f.mu.Unlock()
	if s.Password != nil {
		if _, err := s.Password(ctx); err != nil {
			return nil, err
		}
	}
	if f.dial != nil {
		if err := f.dial(ctx, n); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &fakeClient{f: f, id: n}
	f.lines = append(f.lines, l)
	f.now++
	f.peak = max(f.peak, f.now)
	return l, nil
}

func (l *fakeClient) Send(ctx context.Context, t *smtpclient.Transaction) smtpclient.Result {
	l.f.mu.Lock()
	l.sent++
	l.f.sends++
	l.on++
	l.most = max(l.most, l.on)
	l.f.mu.Unlock()
	defer func() {
		l.f.mu.Lock()
		l.on--
		l.f.mu.Unlock()
	}()
	if l.f.answer == nil {
		return all(t, delivered)
	}
	return l.f.answer(ctx, l, t)
}

func (l *fakeClient) nth() int {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	return l.sent
}

func (l *fakeClient) breaks() {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.broken = true
}

func (l *fakeClient) Notice() string { return l.f.notice }
func (l *fakeClient) Usable() bool {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	return !l.broken && !l.closed
}
func (l *fakeClient) Quit() {
	l.f.mu.Lock()
	l.quit = true
	l.f.mu.Unlock()
	l.Close()
}
func (l *fakeClient) Close() {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.f.now--
	}
}

// outcomes as smtpreply classifies them.
var (
	delivered   = spool.Outcome{Class: spool.Delivered, Scope: spool.MessageScope, Reply: reply(250, "2.0.0", "ok")}
	uncertain   = spool.Outcome{Class: spool.Uncertain, Scope: spool.MessageScope, Reply: reply(0, "", "no answer")}
	noSuchUser  = spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(550, "5.1.1", "no such user")}
	mailboxFull = spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: reply(452, "4.2.2", "full")}
	isSpam      = spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reply: reply(554, "5.7.1", "spam")}
	tryLater    = spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reply: reply(451, "4.3.0", "later")}
	badSender   = spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reason: spool.ReasonSender, Reply: reply(550, "5.1.8", "sender")}
	sendAs      = spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reason: spool.ReasonSendAs, Reply: reply(554, "5.7.60", "not you")}
	cannot      = spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reason: spool.ReasonCannot, Reply: reply(0, "", "no SMTPUTF8")}
	tooMany     = spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reason: spool.ReasonTooMany, Reply: reply(452, "4.5.3", "too many")}
	lost        = spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reason: spool.ReasonLost, Reply: reply(0, "", "lost")}
	noConn      = spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonConnect, Reply: reply(0, "", "refused")}
	badAuth     = spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonAuth, Reply: reply(535, "5.7.8", "wrong")}
	busy        = spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonBusy, Reply: reply(421, "4.7.0", "too many connections")}
	dayLimit    = spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonLimit, Reply: reply(550, "5.4.5", "limit")}
)

func reply(code int, enhanced, text string) spool.Reply {
	return spool.Reply{Code: code, Enhanced: enhanced, Text: text}
}

// all answers every recipient alike.
func all(t *smtpclient.Transaction, o spool.Outcome) smtpclient.Result {
	var r smtpclient.Result
	for range t.Recipients {
		r.Outcomes = append(r.Outcomes, o)
	}
	return r
}

// says answers every transaction with o; a reason that ends connections does.
func says(o spool.Outcome) func(context.Context, *fakeClient, *smtpclient.Transaction) smtpclient.Result {
	return func(_ context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		if o.Reason == spool.ReasonLost || o.Class == spool.Uncertain {
			l.breaks()
		}
		return all(t, o)
	}
}

// fails answers every dial with o.
func fails(o spool.Outcome) func(context.Context, int) error {
	return func(context.Context, int) error { return &smtpclient.Error{Outcome: o} }
}

// stale ends a connection before its nth message and all later ones.
func stale(nth int) func(context.Context, *fakeClient, *smtpclient.Transaction) smtpclient.Result {
	return func(_ context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		if l.nth() < nth {
			return all(t, delivered)
		}
		l.breaks()
		r := all(t, spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonShutdown, Reply: reply(421, "", "bye")})
		r.Stale = true
		return r
	}
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is servers, a clock, and a state that outlives runs.
type world struct {
	t       *testing.T
	clock   *clock
	state   *countingState
	fakes   []*fake
	servers []Server
	limits  []rate.Limit
	ignore  bool
}

func newWorld(t *testing.T, fakes ...*fake) *world {
	w := &world{t: t, clock: newClock(), state: &countingState{State: maildirtest.State()}, fakes: fakes}
	for i, f := range fakes {
		f.name = fmt.Sprint(i + 1)
		s := Server{Connections: 4}
		s.Name, s.Host = f.name, "mail"+f.name+".example.org"
		w.servers = append(w.servers, s)
	}
	return w
}

// run starts a new run.
func (w *world) run() *Route {
	o := Options{Servers: w.servers, Limits: w.limits, State: w.state, Now: w.clock.now, IgnoreBreaker: w.ignore, KeepOutages: 90 * 24 * time.Hour}
	return newRoute(o, func(ctx context.Context, s *smtpclient.Server) (client, error) {
		for _, f := range w.fakes {
			if f.name == s.Name {
				return f.open(ctx, s)
			}
		}
		return nil, fmt.Errorf("no server %q", s.Name)
	})
}

func (w *world) end(r *Route) {
	w.t.Helper()
	if err := r.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
	for _, s := range r.servers {
		if p := &s.pool; p.inUse != 0 || p.dialling != 0 || p.slots != 0 || p.draining != 0 || len(p.queue) != 0 || len(p.idle) != 0 {
			w.t.Errorf("server %s: something is left: %+v", s.config.Name, p)
		}
	}
	for _, f := range w.fakes {
		if f.now != 0 {
			w.t.Errorf("server %s: %d connections left open", f.name, f.now)
		}
	}
}

// once delivers one message in a run of its own.
func (w *world) once(to ...string) spool.Delivery {
	w.t.Helper()
	r := w.run()
	defer w.end(r)
	return w.deliver(r, to...)
}

func (w *world) deliver(r *Route, to ...string) spool.Delivery {
	w.t.Helper()
	if len(to) == 0 {
		to = []string{"ann@example.com"}
	}
	began := 0
	m := message(w.state.id(), to...)
	m.Begin = func() error { began++; return nil }
	d, err := r.Deliver(context.Background(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	// With NoServer it may have begun before another message found the server down.
	if want := map[bool]int{true: 1, false: 0}[d.Wait == spool.Attempted]; began != want && d.Wait != spool.NoServer {
		w.t.Errorf("Begin called %d times, wait %q", began, d.Wait)
	}
	return d
}

func message(id spool.ID, to ...string) *spool.Message {
	body := "Subject: due\r\n\r\nBring it back.\r\n"
	return &spool.Message{ID: id, Sender: "library@example.org", Recipients: to, Body: strings.NewReader(body), Size: int64(len(body))}
}

func (w *world) health(name string) spool.Health {
	w.t.Helper()
	h, err := spool.LoadState[spool.Health](context.Background(), w.state, spool.HealthName+name)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// countingState counts updates and hands out ids.
type countingState struct {
	spool.State
	mu      sync.Mutex
	updates int
	ids     int
	delay   time.Duration // of each update; in a bubble
}

func (s *countingState) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	s.updates++
	s.mu.Unlock()
	time.Sleep(s.delay)
	return s.State.Update(ctx, name, durable, change)
}

func (s *countingState) id() spool.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return spool.ID(fmt.Sprintf("M%d", s.ids))
}

// classes of the outcomes, in short.
func classes(d spool.Delivery) string {
	var s []string
	for _, o := range d.Outcomes {
		s = append(s, string(o.Class))
	}
	return strings.Join(s, " ")
}
