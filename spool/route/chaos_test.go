package route

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/smtpclient"
)

// chaos is three servers that do anything, and what they accepted.
type chaos struct {
	mu     sync.Mutex
	random *rand.Rand
	calm   int               // per cent of the time that all is well
	begun  map[string]bool   // sender, which is the message
	taken  map[string]string // sender and recipient -> the outcome that is the last word
	errors []string
}

func (c *chaos) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

func (c *chaos) dial(ctx context.Context, _ int) error {
	time.Sleep(time.Duration(c.n(100)) * time.Millisecond) // the clock of a synctest bubble
	if c.n(100) < c.calm || c.n(3) > 0 {
		return nil
	}
	return &smtpclient.Error{Outcome: []spool.Outcome{noConn, busy, dayLimit}[c.n(3)]}
}

func (c *chaos) answer(ctx context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
	if wait := time.Duration(c.n(50)) * time.Millisecond; sleep(ctx, wait) != nil {
		l.breaks()
		return all(t, lost) // interrupted before the dot
	}
	r := all(t, delivered)
	if c.n(100) >= c.calm {
		kinds := []spool.Outcome{isSpam, tryLater, badSender, sendAs, cannot, lost, uncertain, dayLimit, noConn}
		switch k := c.n(len(kinds) + 2); k {
		default:
			r = says(kinds[k])(nil, l, t)
		case len(kinds):
			if l.nth() > 1 {
				return stale(0)(nil, l, t)
			}
		case len(kinds) + 1:
			for i := range r.Outcomes {
				r.Outcomes[i] = []spool.Outcome{delivered, noSuchUser, mailboxFull, tooMany}[c.n(4)]
				if r.Outcomes[i] == tooMany {
					r.TooMany++
				}
			}
		}
	}
	c.note(t, r)
	return r
}

// note checks that no recipient is tried again that was refused for good or accepted, and none before
// the attempt was recorded.
func (c *chaos) note(t *smtpclient.Transaction, r smtpclient.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun[t.Sender] {
		c.errors = append(c.errors, t.Sender+": sent before it was recorded")
	}
	for i, to := range t.Recipients {
		key := t.Sender + " " + to
		if was, ok := c.taken[key]; ok {
			c.errors = append(c.errors, fmt.Sprintf("%s: asked again after %s", key, was))
		}
		if dispositionOf(r.Outcomes[i]) == final {
			c.taken[key] = string(r.Outcomes[i].Class)
		}
	}
}

func (c *chaos) send(t *testing.T, r *Route, n int) {
	sender := fmt.Sprintf("m%d@example.org", n)
	m := message(spool.ID(fmt.Sprint("M", n)), addresses(1+n%5)...)
	m.Sender = sender
	m.Begin = func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.begun[sender] {
			t.Errorf("%s: begun twice", sender)
		}
		c.begun[sender] = true
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	if n%7 == 0 {
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.n(100))*time.Millisecond)
	}
	defer stop()
	d, err := r.Deliver(ctx, m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && err == ctx.Err() && !c.begun[sender] {
		return
	}
	if d.Wait == spool.Stopped && ctx.Err() != nil {
		return
	}
	// NoServer after Begin: another message had found each server down meanwhile.
	if err != nil || (d.Wait == spool.Attempted) != c.begun[sender] && d.Wait != spool.NoServer {
		t.Errorf("%s: %v, wait %q, begun %v", sender, err, d.Wait, c.begun[sender])
		return
	}
	for i, to := range m.Recipients {
		was, ok := c.taken[sender+" "+to]
		if d.Wait != spool.Attempted {
			if ok {
				t.Errorf("%s: not attempted, but the servers said %q of %s", sender, was, to)
			}
			continue
		}
		got := string(d.Outcomes[i].Class)
		if ok && got != was || !ok && got != "deferred" && !refusal(d.Outcomes[i]) || got == "" {
			t.Errorf("%s: told %q of %s, the servers said %q", sender, got, to, was)
		}
	}
}

// Whatever the servers do: no recipient is asked about twice once there is a last
// word, what is told is what was said, no pool is exceeded, and nobody waits for ever.
func TestChaos(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			c := &chaos{
				random: rand.New(rand.NewPCG(seed, 1)), calm: []int{30, 80, 98}[seed%3],
				begun: map[string]bool{}, taken: map[string]string{},
			}
			var fakes []*fake
			for range 3 {
				fakes = append(fakes, &fake{dial: c.dial, answer: c.answer})
			}
			w := newWorld(t, fakes...)
			for i := range w.servers {
				w.servers[i].MessagesPerConnection, w.servers[i].RecipientsPerMessage = 10, 3
			}
			r := w.run()
			var wg sync.WaitGroup
			for k := range r.Workers() {
				wg.Go(func() {
					for n := range 20 {
						c.send(t, r, k*20+n)
					}
				})
			}
			wg.Wait()
			w.end(r)
			for _, f := range fakes {
				if f.peak > 4 {
					t.Errorf("%d connections at once", f.peak)
				}
			}
			for _, e := range c.errors {
				t.Error(e)
			}
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// sleep ends with ctx, too; then it returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
