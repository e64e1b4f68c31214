package flush

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/maildirtest"
	"notices/spool/schedule"
)

// policy is the default [retry] of notices.toml(5).
var policy = schedule.Policy{
	ShortRange: 3 * time.Hour,
	ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
	LongDelay:  [2]time.Duration{60 * time.Minute, 90 * time.Minute},
	GiveUp:     100 * time.Hour,
}

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// world is the spool, the clock and the servers of one test.
type world struct {
	t     *testing.T
	mem   *maildirtest.Spool
	mail  *servers
	o     Options
	mu    sync.Mutex
	clock time.Time
	slow  bool // time passed between crashes
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: start}
	w.mem = maildirtest.NewAt(w.now)
	w.mail = &servers{now: w.now, workers: 4, accepted: map[string]int{}}
	w.o = Options{
		Store: w.mem, Deliverer: w.mail, Policy: policy, Now: w.now,
		Site: bounce.Site{Name: "Library", Address: "library@example.org", Hostname: "mail.example.org"},
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// flush makes a run that must work.
func (w *world) flush() spool.Tally {
	w.t.Helper()
	tally, err := Run(w.t.Context(), w.o)
	if err != nil {
		w.t.Fatalf("flush: %v", err)
	}
	return tally
}

// wants flushes and compares the counts.
func (w *world) wants(sent, deferred, returned, failed int) {
	w.t.Helper()
	want := spool.Tally{Sent: sent, Deferred: deferred, Returned: returned, Failed: failed}
	if got := w.flush(); got != want {
		w.t.Fatalf("flush counts %+v, want %+v", got, want)
	}
}

// put queues a message from desk@example.org; change may be nil.
func (w *world) put(id spool.ID, change func(*spool.Envelope), recipients ...string) {
	w.t.Helper()
	if len(recipients) == 0 {
		recipients = []string{"reader@example.net"}
	}
	env := spool.Envelope{
		ID: id, Sender: "desk@example.org", Recipients: recipients, QueuedAt: w.now(), MessageID: "<" + string(id) + "@example.org>",
	}
	if change != nil {
		change(&env)
	}
	text := "Subject: overdue\r\nMessage-ID: " + env.MessageID + "\r\n\r\nPlease bring it back.\r\n"
	env.Size = int64(len(text))
	d, err := w.mem.New(w.t.Context(), id)
	if err == nil {
		io.WriteString(d, text)
		err = d.Seal(env)
	}
	if err == nil {
		_, err = w.mem.Commit(w.t.Context(), d)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func nullSender(e *spool.Envelope) { e.Sender = "" }

// list returns the ids in the queue and in failed/.
func (w *world) list() (queued, failed []spool.ID) {
	w.t.Helper()
	add := func(to *[]spool.ID) func(spool.Entry) bool {
		return func(e spool.Entry) bool { *to = append(*to, e.ID); return true }
	}
	if err := w.mem.Scan(w.t.Context(), add(&queued)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.mem.ScanFailed(w.t.Context(), add(&failed)); err != nil {
		w.t.Fatal(err)
	}
	return queued, failed
}

// empty checks that nothing is left except these in failed/.
func (w *world) empty(failed ...spool.ID) {
	w.t.Helper()
	q, f := w.list()
	if len(q) != 0 || fmt.Sprint(f) != fmt.Sprint(failed) {
		w.t.Fatalf("queued %v, failed %v; want nothing queued and %v failed", q, f, failed)
	}
}

func (w *world) entry(id spool.ID) spool.Entry {
	w.t.Helper()
	e, err := spool.FindOne(w.t.Context(), w.mem, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) record(id spool.ID) *spool.Record {
	w.t.Helper()
	r, b, err := w.mem.Peek(w.t.Context(), w.entry(id))
	if err != nil {
		w.t.Fatal(err)
	}
	b.Close()
	return r
}

func (w *world) claim(id spool.ID) spool.Claim {
	w.t.Helper()
	c, err := w.mem.Claim(w.t.Context(), w.entry(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// change appends an event to a message, as a command would.
func (w *world) change(id spool.ID, e spool.Event) {
	w.t.Helper()
	e.At = w.now()
	c := w.claim(id)
	if err := c.Append(e, spool.Now); err != nil {
		w.t.Fatal(err)
	}
	c.Release()
}

// servers are a scripted Deliverer.
type servers struct {
	now     func() time.Time
	workers int
	// answer is the outcome of a recipient; nil: delivered.
	answer func(m *spool.Message, recipient string) spool.Outcome
	// instead, if it returns true, replaces the attempt.
	instead func(m *spool.Message) (spool.Delivery, error, bool)

	mu       sync.Mutex
	attempts []spool.ID
	accepted map[string]int // "ID recipient": how often it was delivered
	bodies   map[spool.ID]string
	senders  map[spool.ID]string
	groups   map[string]string // by sender; nil: all mail takes the same way
}

func (s *servers) Workers() int { return s.workers }

func (s *servers) Group(sender string, _ []string) string { return s.groups[sender] }

func (s *servers) Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error) {
	if s.instead != nil {
		if d, err, done := s.instead(m); done {
			return d, err
		}
	}
	if err := m.Begin(); err != nil {
		return spool.Delivery{}, err
	}
	text, err := io.ReadAll(io.NewSectionReader(m.Body, 0, m.Size))
	if err != nil || int64(len(text)) != m.Size {
		return spool.Delivery{}, fmt.Errorf("body of %d octets: %d, %w", m.Size, len(text), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, m.ID)
	var d spool.Delivery
	for _, r := range m.Recipients {
		o := delivered
		if s.answer != nil {
			o = s.answer(m, r)
		}
		if o.Class == spool.Delivered {
			s.accept(m, r, string(text))
		}
		o.Reply.At = s.now()
		d.Outcomes = append(d.Outcomes, o)
	}
	return d, nil
}

func (s *servers) accept(m *spool.Message, recipient, text string) {
	if s.bodies == nil {
		s.bodies, s.senders = map[spool.ID]string{}, map[spool.ID]string{}
	}
	s.accepted[string(m.ID)+" "+recipient]++
	s.bodies[m.ID], s.senders[m.ID] = text, m.Sender
}

func (s *servers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = nil
}

func outcome(class spool.Class, scope spool.Scope, reason spool.Reason, code int, text string) spool.Outcome {
	return spool.Outcome{Class: class, Scope: scope, Reason: reason, Reply: spool.Reply{Server: "1", Host: "mx.example.net", Code: code, Text: text}}
}

var (
	delivered  = outcome(spool.Delivered, spool.RecipientScope, "", 250, "taken")
	noSuchUser = outcome(spool.Failed, spool.RecipientScope, "", 550, "no such user")
	greylisted = outcome(spool.Deferred, spool.RecipientScope, "", 451, "greylisted")
	noAnswer   = outcome(spool.Uncertain, spool.MessageScope, "", 0, "no answer after the final dot")
	noRoute    = outcome(spool.Deferred, spool.ServerScope, spool.ReasonConnect, 0, "connection refused")
	badLogin   = outcome(spool.Deferred, spool.ServerScope, spool.ReasonAuth, 535, "bad credentials")
	badSender  = outcome(spool.Failed, spool.MessageScope, spool.ReasonSender, 550, "sender refused")
)

// always gives every recipient the same outcome, but reports reach their sender.
func (s *servers) always(o spool.Outcome) {
	s.answer = func(m *spool.Message, _ string) spool.Outcome {
		if m.Sender == "" && strings.ContainsAny(string(m.ID), "-.") {
			return delivered
		}
		return o
	}
}

// paused says that no server takes mail.
func (s *servers) paused(o spool.Outcome) {
	s.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Wait: spool.NoServer, Outcomes: []spool.Outcome{o}}, nil, true
	}
}

// runs flushes repeatedly, like cron, for that long.
func (w *world) runs(every, long time.Duration) (total spool.Tally) {
	w.t.Helper()
	for end := w.now().Add(long); !w.now().After(end); w.pass(every) {
		t := w.flush()
		total.Sent += t.Sent
		total.Deferred += t.Deferred
		total.Returned += t.Returned
		total.Failed += t.Failed
	}
	return total
}
