package flush

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/faulty"
)

// dayUsedUp is what a route returns when the daily rate of the only server is used up.
func dayUsedUp(until time.Time) spool.Delivery {
	o := spool.Outcome{Class: spool.Deferred, Reason: spool.ReasonRate, Reply: spool.Reply{Text: "rate_per_day of server 1 is used up"}}
	return spool.Delivery{Wait: spool.Limited, QuotaExhausted: true, Until: until, Outcomes: []spool.Outcome{o}}
}

// daily gives servers a budget for each day of the test's clock. Some recipients are put off
// for [[limit]] instead.
type daily struct {
	*servers
	w      *world
	budget int

	mu   sync.Mutex
	day  time.Time
	sent int
	most int // sent in one day
}

func (d *daily) Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error) {
	if strings.HasSuffix(m.Recipients[0], "@gmail.com") {
		return spool.Delivery{Wait: spool.Limited, Outcomes: []spool.Outcome{full}}, nil
	}
	d.mu.Lock()
	if today := d.w.now().Truncate(24 * time.Hour); !today.Equal(d.day) {
		d.day, d.sent = today, 0
	}
	until := d.day.Add(24 * time.Hour)
	if d.sent == d.budget {
		d.mu.Unlock()
		return dayUsedUp(until), nil
	}
	d.sent++
	d.most = max(d.most, d.sent)
	d.mu.Unlock()
	return d.servers.Deliver(ctx, m)
}

// seldom never draws 0 unless it has to.
func seldom(n int64) int64 { return n - 1 }

// claims counts what a run opened.
func (w *world) claims() (opened func() int) {
	f := faulty.New(w.mem, faulty.Plan{Match: func(c faulty.Call) bool { return c.Method == "Claim" || c.Method == "Peek" }})
	w.o.Store = f
	before := 0
	return func() int {
		n := len(f.Calls()) - before
		before += n
		return n
	}
}

// When the daily rate is used up, a run ends without opening the other messages. It says how
// many they are, and still returns those that are over by --expires.
func TestExhaustedQuota(t *testing.T) {
	w := newWorld(t)
	const n = 300
	for i := range n {
		w.put(spool.ID(fmt.Sprintf("m%03d", i)), nil)
	}
	for i := range 5 {
		w.put(spool.ID(fmt.Sprintf("e%d", i)), func(e *spool.Envelope) { e.ExpiresAt = start.Add(2 * time.Hour) })
	}
	w.o.Random = seldom
	w.o.Deliverer = &daily{servers: w.mail, w: w, budget: 0}
	opened := w.claims()
	_, text := w.logged()
	if got := opened(); got > w.mail.workers {
		t.Errorf("%d messages were opened", got)
	}
	if want := fmt.Sprintf(`postponed messages=%d why="rate_per_day of server 1 is used up; they stay due"`, n+5); !strings.Contains(text, want) {
		t.Errorf("the log says\n%swant %s", text, want)
	}
	w.pass(2*time.Hour - time.Second)
	w.wants(0, 0, 0, 0)
	opened()
	w.pass(time.Second)
	w.wants(0, 0, 5, 0)
	if got := opened(); got > w.mail.workers+5 {
		t.Errorf("%d messages were opened for 5 that are over", got)
	}
	if q, _ := w.list(); len(q) != n+5 { // their returns wait too
		t.Errorf("%d are left", len(q))
	}
	w.o.Deliverer = w.mail
	w.wants(n+5, 0, 0, 0)
	w.empty()
}

// A message that is not due is not counted among those that stay due, and a message that was
// asked for is not skipped.
func TestExhaustedQuotaOfAllAndIDs(t *testing.T) {
	w := newWorld(t)
	for _, id := range []spool.ID{"A", "B", "C", "later"} {
		w.put(id, nil)
	}
	w.change("later", spool.Event{Kind: spool.Postpone, Next: start.Add(time.Hour)})
	w.o.Random = seldom
	w.o.Deliverer = &daily{servers: w.mail, w: w, budget: 0}
	w.o.All = true
	if _, text := w.logged(); !strings.Contains(text, "postponed messages=3 ") {
		t.Errorf("%s", text)
	}
	w.o.All, w.o.IDs = false, []spool.ID{"A", "B", "C", "later"}
	opened := w.claims()
	if _, text := w.logged(); !strings.Contains(text, "postponed messages=3 ") || opened() != 4 {
		t.Errorf("%s", text)
	}
}

// The listing is a hint. Some messages are opened all the same, so that what a killed run left
// undone is done even if the daily rate is used up.
func TestExhaustedQuotaOpensSome(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	for i := range 1000 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	c := w.claim("m7") // a run died between the result and the return
	for _, err := range []error{
		c.Begin(spool.Event{Kind: spool.Try, At: start, N: 1, Next: start.Add(time.Minute)}),
		c.Append(spool.Event{Kind: spool.Result, At: start, N: 1, Results: []spool.Answer{{Outcome: noSuchUser, To: []int{0}}}}, spool.Now),
		c.Release(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.o.Deliverer = &daily{servers: w.mail, w: w, budget: 0}
	w.o.Random = rand.New(rand.NewPCG(3, 4)).Int64N
	opened := w.claims()
	runs, looked := 0, 0
	for ; runs < 300; runs++ {
		w.pass(time.Minute)
		w.flush()
		looked += opened()
		if _, err := spool.FindOne(t.Context(), w.mem, "m7"); errors.Is(err, spool.ErrGone) {
			break
		}
	}
	if runs == 300 {
		t.Error("what a killed run left was never finished")
	}
	if most := (runs + 1) * 2 * 1000 / openOneIn; looked > most {
		t.Errorf("%d messages were opened in %d runs", looked, runs+1)
	}
}

// Whatever is queued and however time passes, no day sends more than it may or less than it
// could. Every message ends once, at the latest in the run after its --expires, and the log
// counts the rest.
func TestExhaustedQuotas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.mail.workers = rapid.IntRange(1, 6).Draw(rt, "workers")
		d := &daily{servers: w.mail, w: w, budget: rapid.IntRange(0, 12).Draw(rt, "budget")}
		w.o.Deliverer = d
		if rapid.Bool().Draw(rt, "nothing by chance") {
			w.o.Random = seldom
		}
		h := &dayHistory{rt: rt, w: w, d: d, expires: map[spool.ID]time.Time{}}
		for range rapid.IntRange(1, 12).Draw(rt, "runs") {
			h.comeIn()
			w.pass(time.Duration(rapid.Int64Range(1, 15*3600).Draw(rt, "pause")) * time.Second)
			h.run()
		}
		// Without a limit, the rest is sent.
		d.budget = 1 << 30
		for range 200 {
			w.pass(time.Hour)
			w.flush()
		}
		h.allEnded()
	})
}

type dayHistory struct {
	rt      *rapid.T
	w       *world
	d       *daily
	put     int
	expires map[spool.ID]time.Time
}

// comeIn queues some messages.
func (h *dayHistory) comeIn() {
	for range rapid.IntRange(0, 8).Draw(h.rt, "messages") {
		h.put++
		id := spool.ID(fmt.Sprintf("m%d", h.put))
		to := rapid.SampledFrom([]string{"a@example.net", "a@example.net", "a@gmail.com"}).Draw(h.rt, "to")
		after := time.Duration(rapid.Int64Range(0, 30).Draw(h.rt, "expires")) * time.Hour
		h.w.put(id, func(e *spool.Envelope) {
			if after > 0 {
				e.ExpiresAt = h.w.now().Add(after).Truncate(time.Second)
				h.expires[id] = e.ExpiresAt
			}
			if to == "a@gmail.com" {
				e.Recipients = []string{to}
			}
		})
	}
}

// run flushes and checks the rest.
func (h *dayHistory) run() {
	sentBefore := h.d.sent
	if !h.w.now().Truncate(24 * time.Hour).Equal(h.d.day) {
		sentBefore = 0
	}
	_, text := h.w.logged()
	queued, _ := h.w.list()
	waiting, limited := 0, 0
	for _, id := range queued {
		e := h.w.entry(id)
		if over, ok := h.expires[id]; ok && !h.w.now().Before(over) {
			h.rt.Errorf("%s is over by --expires since %v, and is still queued at %v", id, over, h.w.now())
		}
		switch {
		case h.w.o.Policy.Due(e.Next, h.w.now()) && strings.HasSuffix(h.w.record(id).Envelope.Recipients[0], "@gmail.com"):
			limited++
		case h.w.o.Policy.Due(e.Next, h.w.now()):
			waiting++
		}
	}
	if h.d.most > h.d.budget {
		h.rt.Errorf("%d sent in a day, %d may be", h.d.most, h.d.budget)
	}
	if waiting > 0 && h.d.sent < h.d.budget {
		h.rt.Errorf("%d of %d were sent (%d before), and %d wait", h.d.sent, h.d.budget, sentBefore, waiting)
	}
	if told := postponed(text); told != waiting+limited {
		h.rt.Errorf("the log counts %d, there are %d that wait for the day and %d for [[limit]]:\n%s", told, waiting, limited, text)
	}
}

// postponed adds up the numbers in the log.
func postponed(text string) (n int) {
	for line := range strings.Lines(text) {
		var k int
		if _, err := fmt.Sscanf(line, "postponed messages=%d", &k); err == nil {
			n += k
		}
	}
	return n
}

// allEnded checks that every message was sent once or returned, except those that [[limit]] keeps.
func (h *dayHistory) allEnded() {
	queued, failed := h.w.list()
	for _, id := range queued {
		if r := h.w.record(id); !strings.HasSuffix(r.Envelope.Recipients[0], "@gmail.com") {
			h.rt.Errorf("%s is still queued", id)
		}
	}
	if len(failed) > 0 {
		h.rt.Errorf("failed: %v", failed)
	}
	for i := range h.put {
		id := fmt.Sprintf("m%d", i+1)
		sent := h.w.mail.accepted[id+" reader@example.net"]
		_, err := spool.FindOne(h.rt.Context(), h.w.mem, spool.ID(id))
		there, returned := err == nil, len(h.w.mail.bodies[spool.ID(id+"-1")]) > 0
		if count(sent == 1, returned, there) != 1 || sent > 1 {
			h.rt.Errorf("%s was sent %d times, returned: %v, still there: %v", id, sent, returned, there)
		}
	}
}

func count(facts ...bool) (n int) {
	for _, f := range facts {
		if f {
			n++
		}
	}
	return n
}
