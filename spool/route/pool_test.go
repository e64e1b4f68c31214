package route

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newPool is a pool of so many connections to a server that works.
func newPool(most int) *pool {
	return &pool{max: most, halfOpen: func() bool { return false }}
}

// connect opens the lease's connection.
func (f *fake) connect(p *pool, l *lease) {
	f.mu.Lock()
	f.dials++
	c := &fakeClient{f: f, id: f.dials}
	f.now++
	f.peak = max(f.peak, f.now)
	f.mu.Unlock()
	p.opened(l, c)
}

func acquire(t *testing.T, p *pool) *lease {
	t.Helper()
	l, err := p.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// later acquires beside the test; the lease comes over the channel, nil if none can be had.
func later(p *pool) <-chan *lease {
	got := make(chan *lease, 1)
	go func() {
		l, _ := p.acquire(context.Background())
		got <- l
	}()
	synctest.Wait()
	return got
}

func waits(t *testing.T, got <-chan *lease) {
	t.Helper()
	synctest.Wait()
	select {
	case l := <-got:
		t.Errorf("it got %+v", l)
	default:
	}
}

func TestPoolReusesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := &fake{}, newPool(2)
		p.perConn = 2
		a := acquire(t, p)
		waits(t, later(p)) // the only connection is still being dialled: it tells whether the server lives
		f.connect(p, a)
		synctest.Wait() // now the other one dials
		third := later(p)
		waits(t, third)
		p.release(a, true)
		b := <-third
		if b.conn != a.conn || b.conn.uses != 2 {
			t.Errorf("not the idle connection: %+v", b)
		}
		p.release(b, true) // its second message was its last
		synctest.Wait()
		if !b.conn.client.(*fakeClient).quit || p.slots != 1 {
			t.Errorf("it was not ended: %+v", p)
		}
	})
}

// A message whose connection had ended gets a fresh one at once, also where idle ones are
// left and others wait: an idle one may have ended as well.
func TestPoolExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := &fake{}, newPool(2)
		a := acquire(t, p)
		f.connect(p, a)
		b := acquire(t, p)
		f.connect(p, b)
		waiting := later(p)
		a.conn.client.(*fakeClient).breaks()
		fresh, err := p.exchange(t.Context(), a)
		if err != nil || fresh.conn != nil {
			t.Fatalf("%+v, %v", fresh, err)
		}
		waits(t, waiting)
		f.connect(p, fresh)
		p.release(b, true)
		if l := <-waiting; l.conn != b.conn {
			t.Errorf("the one who waited got %+v", l)
		}
		if p.slots != 2 || f.peak > 2 {
			t.Errorf("%d slots, peak %d", p.slots, f.peak)
		}
	})
}

// One more connection refused beside a working one lowers the limit; without one it says that the
// server is down, and the lease goes on until that is known to all.
func TestPoolRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := &fake{}, newPool(4)
		a := acquire(t, p)
		if waiting := later(p); p.refused(a, false) {
			t.Error("a dead server is taken for a busy one")
		} else {
			waits(t, waiting)
		}
		f.connect(p, a)
		synctest.Wait() // the one who waited dials
		b := acquire(t, p)
		if !p.refused(b, false) || p.max != 2 {
			t.Errorf("max %d", p.max)
		}
	})
}

// A server that has not noticed yet that a connection ended is asked again, later each time; the
// limit goes down only after that.
func TestPoolRefusedReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := &fake{}, newPool(1)
		p.perConn = 1
		a := acquire(t, p)
		f.connect(p, a)
		p.release(a, true)
		synctest.Wait()
		for try, want := range []time.Duration{0, retryDelay, 2 * retryDelay} { // of the bubble's clock
			begin := time.Now()
			l := acquire(t, p)
			if waited := time.Since(begin); waited != want {
				t.Errorf("try %d after %v, want %v", try, waited, want)
			}
			if !p.refused(l, true) {
				t.Errorf("try %d: taken for a dead server", try)
			}
		}
		if l := acquire(t, p); p.refused(l, true) {
			t.Error("asked for ever")
		}
	})
}

func TestPoolCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p := &fake{}, newPool(2)
		a := acquire(t, p)
		f.connect(p, a)
		b := acquire(t, p)
		f.connect(p, b)
		waiting := later(p)
		p.close()
		if l := <-waiting; l != nil {
			t.Errorf("a closed pool gave %+v", l)
		}
		if _, err := p.acquire(t.Context()); !errors.Is(err, errDown) {
			t.Error(err)
		}
		if _, err := p.exchange(t.Context(), a); !errors.Is(err, errDown) {
			t.Error(err)
		}
		p.release(b, true)
		p.awaitDrained(t.Context())
		if p.slots != 0 || p.inUse != 0 || f.now != 0 {
			t.Errorf("left: %+v", p)
		}
	})
}

// Until the server has proved that it works, one message at a time.
func TestPoolHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		halfOpen := true
		f, p := &fake{}, newPool(4)
		p.halfOpen = func() bool { return halfOpen }
		a := acquire(t, p)
		f.connect(p, a)
		first, second := later(p), later(p)
		waits(t, first)
		p.release(a, false)
		b := <-first
		waits(t, second)
		halfOpen = false
		p.release(b, true)
		<-second
	})
}

// Whoever stops waiting takes nothing along, whenever that is.
func TestPoolChaos(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			f, p := &fake{}, newPool(3)
			p.perConn = 4
			var wg sync.WaitGroup
			for worker := range uint64(8) {
				wg.Go(func() {
					random := rand.New(rand.NewPCG(seed, worker))
					for range 50 {
						f.usePool(p, random)
					}
				})
			}
			wg.Wait()
			p.close()
			p.awaitDrained(t.Context())
			if p.slots != 0 || p.inUse != 0 || p.dialling != 0 || p.draining != 0 || len(p.queue) != 0 || f.now != 0 || f.peak > 3 {
				t.Errorf("seed %d: peak %d, left %+v", seed, f.peak, p)
			}
		})
	}
}

// usePool is one message's way through the pool, with anything that may happen.
func (f *fake) usePool(p *pool, random *rand.Rand) {
	wait := func() { time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond) } // the clock of a synctest bubble
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(200))*time.Millisecond)
	defer cancel()
	l, err := p.acquire(ctx)
	for err == nil {
		if l.conn == nil {
			wait()
			if random.IntN(5) == 0 {
				if !p.refused(l, random.IntN(2) == 0) {
					p.giveBack(l)
				}
				return
			}
			f.connect(p, l)
		}
		wait()
		switch random.IntN(6) {
		case 0:
			p.giveBack(l)
			return
		case 1:
			l.conn.client.(*fakeClient).breaks()
			fallthrough
		case 2:
			l, err = p.exchange(ctx, l)
		default:
			p.release(l, random.IntN(2) == 0)
			return
		}
	}
}
