package flush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/feed"
	"notices/spool/maildir"
	"notices/spool/maildirtest"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// service is a world in which mail is delivered as it comes in, on the clock of a bubble.
type service struct {
	*world
	c     *Continuous
	scans atomic.Int64

	mu     sync.Mutex
	times  map[spool.ID][]time.Duration // when each was attempted, since the start
	began  time.Time
	tally  spool.Tally
	errs   []error
	opened int
}

// serving runs a test in a bubble. Nothing is delivered before start.
func serving(t *testing.T, test func(s *service)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start))
		w := newWorld(t)
		s := &service{world: w, times: map[spool.ID][]time.Duration{}, began: time.Now()}
		w.mem = maildirtest.NewAt(time.Now)
		w.mail.now, w.o.Now, w.o.Store = time.Now, time.Now, &counted{w.mem.Store, &s.scans, nil}
		w.clock = time.Now()
		s.c = &Continuous{
			Feed: feed.New(),
			Open: func(context.Context) (Options, func(), error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.opened++
				o := w.o
				o.Deliverer = &timed{w.mail, s}
				return o, func() {}, nil
			},
			Ended: func(tally spool.Tally, err error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.tally.Sent += tally.Sent
				s.tally.Deferred += tally.Deferred
				s.tally.Returned += tally.Returned
				if err != nil {
					s.errs = append(s.errs, err)
				}
			},
		}
		test(s)
		if err := w.mem.Close(); err != nil {
			t.Error(err)
		}
	})
}

// counted is a store that counts its listings, and may be out of order.
type counted struct {
	*maildir.Store
	scans  *atomic.Int64
	broken *atomic.Bool
}

func (c *counted) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	c.scans.Add(1)
	return c.Store.Scan(ctx, yield)
}

func (c *counted) Writable(ctx context.Context) error {
	if c.broken != nil && c.broken.Load() {
		return errors.New("no space left on device")
	}
	return c.Store.Writable(ctx)
}

// timed notes when each message was attempted.
type timed struct {
	*servers
	s *service
}

func (d *timed) Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error) {
	d.s.mu.Lock()
	d.s.times[m.ID] = append(d.s.times[m.ID], time.Since(d.s.began))
	d.s.mu.Unlock()
	return d.servers.Deliver(ctx, m)
}

// during delivers while work is done.
func (s *service) during(work func()) {
	ctx, stop := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.c.Run(ctx) })
	work()
	stop()
	wg.Wait()
}

// queue puts a message of a site, and feeds it as a session does.
func (s *service) queue(id spool.ID, site string) {
	s.store(id, site)
	s.c.Feed.Queued(spool.Entry{ID: id, Next: time.Now().UTC().Truncate(time.Second), State: spool.StateQueued}, site)
}

func (s *service) store(id spool.ID, site string) {
	s.world.mu.Lock()
	s.clock = time.Now()
	s.world.mu.Unlock()
	s.put(id, func(e *spool.Envelope) { e.Site = site })
}

// attempted says when a message was attempted.
func (s *service) attempted(id spool.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.times[id])
}

// wait lets time pass on the bubble's clock, and what is due meanwhile happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestGoesOutAtOnce: new mail goes out the moment it is queued, whatever else waits, and for that
// nothing is listed. The spool is listed once a minute.
func TestGoesOutAtOnce(t *testing.T) {
	serving(t, func(s *service) {
		for i := range 50 {
			id := spool.ID(fmt.Sprintf("later%d", i))
			s.store(id, "a")
			s.change(id, spool.Event{Kind: spool.Postpone, Next: start.Add(80 * time.Minute)})
		}
		s.during(func() {
			for i := range 100 {
				wait(700 * time.Millisecond)
				s.queue(spool.ID(fmt.Sprintf("new%02d", i)), "a")
			}
			wait(50 * time.Second)
			if n := s.scans.Load(); n != 3 {
				t.Errorf("%d listings in two minutes", n)
			}
		})
		for i := range 100 {
			want := fmt.Sprint([]time.Duration{time.Duration(i+1) * 700 * time.Millisecond})
			if got := s.attempted(spool.ID(fmt.Sprintf("new%02d", i))); got != want {
				t.Errorf("new%02d: attempted at %s, queued at %s", i, got, want)
			}
		}
		if q, _ := s.list(); len(q) != 50 || s.tally.Sent != 100 || len(s.errs) > 0 {
			t.Errorf("%d left, %+v, %v", len(q), s.tally, s.errs)
		}
	})
}

// TestSitesInTurn: a site with very many messages does not hold up one with three, neither what
// comes in nor what is found after a pause.
func TestSitesInTurn(t *testing.T) {
	for name, fed := range map[string]bool{"as it comes in": true, "after a pause": false} {
		t.Run(name, func(t *testing.T) {
			serving(t, func(s *service) {
				s.mail.workers = 1
				put := s.store
				if fed {
					put = s.queue
				}
				for i := range 300 {
					put(spool.ID(fmt.Sprintf("big%03d", i)), "big")
				}
				for i := range 3 {
					put(spool.ID(fmt.Sprintf("small%d", i)), "small")
				}
				s.during(func() { wait(time.Second) })
				s.empty()
				var order []string
				for i, id := range s.mail.attempts {
					if strings.HasPrefix(string(id), "small") {
						order = append(order, fmt.Sprint(i))
					}
				}
				// Of what is found, a hundred are read before the first of them goes out.
				if last := slices.Index(s.mail.attempts, "small2"); fed && fmt.Sprint(order) != "[1 3 5]" || last > 210 {
					t.Errorf("the small site had its turns at %v", order)
				}
			})
		})
	}
}

// TestAtItsTime: what was deferred is attempted again when it is due, though nothing comes in.
func TestAtItsTime(t *testing.T) {
	serving(t, func(s *service) {
		s.o.Policy = schedule.Policy{
			ShortRange: time.Hour, ShortDelay: [2]time.Duration{100 * time.Second, 101 * time.Second},
			LongDelay: [2]time.Duration{time.Hour, 2 * time.Hour}, GiveUp: 100 * time.Hour,
		}
		s.mail.always(greylisted)
		s.during(func() {
			wait(7 * time.Second)
			s.queue("A", "a")
			wait(8 * time.Minute)
		})
		if got := s.attempted("A"); got != "[7s 1m47s 3m27s 5m7s 6m47s]" {
			t.Error(got)
		}
	})
}

// TestSoonAgain: also if that is before the next listing.
func TestSoonAgain(t *testing.T) {
	serving(t, func(s *service) {
		s.o.Policy.ShortDelay = [2]time.Duration{2 * time.Second, 3 * time.Second}
		s.mail.always(greylisted)
		s.during(func() {
			s.queue("A", "a")
			wait(9 * time.Second)
		})
		if got := s.attempted("A"); got != "[0s 2s 4s 6s 8s]" {
			t.Error(got)
		}
	})
}

// TestPausedServers: while every server is paused, mail that comes in waits for its next send, and
// is not tried in a loop.
func TestPausedServers(t *testing.T) {
	serving(t, func(s *service) {
		s.mail.paused(noRoute)
		s.during(func() {
			for i := range 60 {
				s.queue(spool.ID(fmt.Sprintf("m%02d", i)), "a")
				wait(time.Second)
			}
			wait(time.Minute)
		})
		n := 0
		for _, at := range s.times {
			n += len(at)
		}
		if n > 4 { // one for each run
			t.Errorf("%d were offered to the route", n)
		}
		if r := s.record("m30"); r.NextSendAt.Sub(r.QueuedAt) < 3*time.Minute {
			t.Errorf("next send %v after it was queued", r.NextSendAt.Sub(r.QueuedAt))
		}
		s.mail.instead = nil
		s.during(func() { wait(10 * time.Minute) })
		s.empty()
	})
}

// TestUsedUpLimit: what stays due because of a limit is not tried in a loop either.
func TestUsedUpLimit(t *testing.T) {
	serving(t, func(s *service) {
		used := outcome(spool.Deferred, spool.ServerScope, spool.ReasonRate, 0, "rate_per_day is used up")
		s.mail.instead = func(*spool.Message) (spool.Delivery, error, bool) {
			return spool.Delivery{Wait: spool.Limited, QuotaExhausted: true, Outcomes: []spool.Outcome{used}}, nil, true
		}
		s.o.Random = func(n int64) int64 { return n - 1 }
		s.during(func() {
			for i := range 40 {
				s.queue(spool.ID(fmt.Sprintf("m%02d", i)), "a")
			}
			wait(3*time.Minute + time.Second)
		})
		n := 0
		for _, at := range s.times {
			n += len(at)
		}
		if most := 4 * s.mail.workers; n > most {
			t.Errorf("%d were offered to the route in four runs, more than %d", n, most)
		}
		if q, _ := s.list(); len(q) != 40 {
			t.Errorf("%d are left", len(q))
		}
	})
}

// TestReturnsGoOut: a return goes out when it is made.
func TestReturnsGoOut(t *testing.T) {
	serving(t, func(s *service) {
		s.mail.answer = func(m *spool.Message, _ string) spool.Outcome {
			if m.Report {
				return delivered
			}
			return noSuchUser
		}
		s.during(func() {
			wait(5 * time.Second)
			s.queue("A", "a")
			wait(time.Second)
			s.empty()
		})
		if got := s.attempted(spool.ID("A").Return(1)); got != "[5s]" || s.tally.Returned != 1 || s.tally.Sent != 0 {
			t.Errorf("the return was attempted at %s; %+v", got, s.tally)
		}
	})
}

// TestReturnOfAKilledRun: a report that an earlier process left goes out after its message says so.
func TestReturnOfAKilledRun(t *testing.T) {
	serving(t, func(s *service) {
		s.mail.always(noSuchUser)
		s.store("A", "a")
		c := s.claim("A")
		_, err := Return(t.Context(), s.o, c)
		if err != nil {
			t.Fatal(err)
		}
		s.during(func() { wait(time.Second) })
		s.empty()
		if got := s.attempted(spool.ID("A").Return(1)); got != "[0s]" {
			t.Errorf("the return was attempted at %s", got)
		}
	})
}

// TestHeldPastItsTime: --expires counts for what is held.
func TestHeldPastItsTime(t *testing.T) {
	serving(t, func(s *service) {
		s.put("A", func(e *spool.Envelope) { e.ExpiresAt = start.Add(30 * time.Second) })
		s.change("A", spool.Event{Kind: spool.Hold, Next: start.Add(30 * time.Second)})
		s.during(func() { wait(2 * time.Minute) })
		s.empty()
		if s.tally.Returned != 1 {
			t.Errorf("%+v", s.tally)
		}
	})
}

// TestSlowServer: a message that takes minutes does not keep others from going out.
func TestSlowServer(t *testing.T) {
	serving(t, func(s *service) {
		s.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
			if m.ID == "slow" {
				time.Sleep(10 * time.Minute)
			}
			return spool.Delivery{}, nil, false
		}
		s.during(func() {
			wait(50 * time.Second)
			s.queue("slow", "a")
			wait(11 * time.Second) // the run is over, and waits
			s.queue("B", "a")
			wait(10 * time.Second)
			s.queue("C", "b")
			wait(20 * time.Minute)
		})
		if b, c := s.attempted("B"), s.attempted("C"); b != "[1m3s]" || c != "[1m11s]" {
			t.Errorf("attempted at %s and %s", b, c)
		}
		if s.empty(); s.tally.Sent != 3 {
			t.Errorf("%+v", s.tally)
		}
	})
}

// TestRecovers: a run that cannot write the spool sends nothing, and the next one begins a little later.
func TestRecovers(t *testing.T) {
	serving(t, func(s *service) {
		var broken atomic.Bool
		broken.Store(true)
		s.o.Store = &counted{s.mem.Store, &s.scans, &broken}
		s.during(func() {
			s.queue("A", "a")
			wait(25 * time.Second)
			broken.Store(false)
			wait(10 * time.Second)
		})
		if got := s.attempted("A"); got != "[31s]" || len(s.errs) != 4 || !errors.Is(s.errs[0], ErrSpool) {
			t.Errorf("attempted at %s, %v", got, s.errs)
		}
	})
}

// TestRenew: the next run begins at once, with what is configured then.
func TestRenew(t *testing.T) {
	serving(t, func(s *service) {
		s.during(func() {
			wait(10 * time.Second)
			s.c.Renew()
			wait(time.Second)
			if s.opened != 3 { // the first run lasts a second
				t.Errorf("opened %d times", s.opened)
			}
		})
	})
}

// TestServesQuietly: what is not understood is set aside, and a run that did nothing is not logged.
func TestServesQuietly(t *testing.T) {
	serving(t, func(s *service) {
		var log strings.Builder // the log writes one line at a time
		s.o.Log = maillog.New(&log, maillog.All)
		s.store("damaged", "a")
		s.mem.Damage("damaged")
		s.during(func() {
			wait(3 * time.Minute)
			s.queue("A", "a")
			wait(3 * time.Minute)
		})
		words := []string{}
		for line := range strings.Lines(log.String()) {
			word, _, _ := strings.Cut(line, " ")
			words = append(words, word)
		}
		if got := strings.Join(words, " "); got != "aside delivered run" {
			t.Errorf("logged %s:\n%s", got, log.String())
		}
	})
}

// TestRefusedByAll: a message that a server refuses, which takes other mail, is returned at the end
// of the run.
func TestRefusedByAll(t *testing.T) {
	serving(t, func(s *service) {
		refused := outcome(spool.Deferred, spool.MessageScope, spool.ReasonRefused, 550, "not this one")
		s.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
			return spool.Delivery{Outcomes: []spool.Outcome{refused}, ServesAccount: func() bool { return true }}, nil, m.ID == "A"
		}
		s.during(func() {
			s.queue("A", "a")
			wait(4 * time.Second)
		})
		if s.empty(); s.tally.Returned != 1 || s.attempted("A") != "[0s]" {
			t.Errorf("%+v, attempted at %s", s.tally, s.attempted("A"))
		}
	})
}

// TestFeedBesideFlush: flush may run at the same time. No message goes out twice.
func TestFeedBesideFlush(t *testing.T) {
	serving(t, func(s *service) {
		s.during(func() {
			for i := range 200 {
				s.queue(spool.ID(fmt.Sprintf("m%03d", i)), "a")
				if i%20 == 0 {
					s.flush()
				}
			}
			wait(time.Minute)
		})
		s.empty()
		for id, n := range s.mail.accepted {
			if n != 1 {
				t.Errorf("%s was delivered %d times", id, n)
			}
		}
	})
}
