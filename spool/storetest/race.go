package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"notices/spool"
)

// race runs workers on the spool, over two handles. A third handle repairs the spool all the
// while, which must leave alone what is in use. race returns the two handles.
func race(k kit, h Harness, workers int, work func(worker int, s spool.Store)) []spool.Store {
	k.Helper()
	stores, third := []spool.Store{h.Store, k.opened(h.Reopen())}, k.opened(h.Reopen())
	var over atomic.Bool
	var sweeper, wg sync.WaitGroup
	sweeper.Go(func() {
		for !over.Load() {
			err := third.Scan(k.Context(), func(spool.Entry) bool { return true })
			found, repairErr := third.Repair(k.Context())
			if err != nil || repairErr != nil {
				k.Errorf("Scan and Repair among others: %v, %v", err, repairErr)
				return
			}
			if a := setAside(found); len(a) > 0 {
				k.Errorf("Repair among others: %+v", a)
			}
		}
	})
	for g := range workers {
		wg.Go(func() { work(g, stores[g%2]) })
	}
	wg.Wait()
	over.Store(true)
	sweeper.Wait()
	return stores
}

// racer is what one of many workers on one spool has in common with the others.
type racer struct {
	kit
	messages map[spool.ID]*raced
	errors   atomic.Int32
}

type raced struct{ holders, visits, removed atomic.Int32 }

// testRaceForClaims: sixteen workers take 200 messages. Each is held by one at a time,
// put back once and then removed, exactly once.
func testRaceForClaims(k kit, h Harness) {
	r := &racer{kit: k, messages: map[spool.ID]*raced{}}
	var drafts []spool.Draft
	for i := range 200 {
		id := spool.ID(fmt.Sprintf("m%03d", i))
		r.messages[id] = new(raced)
		drafts = append(drafts, k.sealed(h.Store, sample(id, 1), content(50)))
	}
	k.commit(h.Store, drafts...)
	stores := race(k, h, 16, func(_ int, s spool.Store) { r.work(s) })
	for id, m := range r.messages {
		if n := m.removed.Load(); n != 1 {
			k.Errorf("%s was removed %d times", id, n)
		}
	}
	k.listed("after the race", stores)
}

// work goes on until every message is removed, or a worker met an error.
func (r *racer) work(s spool.Store) {
	for r.errors.Load() == 0 {
		left, failed := 0, error(nil)
		err := s.Scan(r.Context(), func(e spool.Entry) bool {
			left++
			failed = r.visit(s, e)
			return failed == nil
		})
		if err = errors.Join(err, failed); err != nil {
			r.errors.Add(1)
			r.Errorf("working among others: %v", err)
		}
		if left == 0 && r.allRemoved() {
			return
		}
	}
}

// allRemoved: a scan may miss what is renamed meanwhile.
func (r *racer) allRemoved() bool {
	for _, m := range r.messages {
		if m.removed.Load() == 0 {
			return false
		}
	}
	return true
}

func (r *racer) visit(s spool.Store, e spool.Entry) error {
	c, err := s.Claim(r.Context(), e)
	if errors.Is(err, spool.ErrBusy) || errors.Is(err, spool.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	m := r.messages[e.ID]
	if n := m.holders.Add(1); n != 1 {
		return fmt.Errorf("%d hold %s at once", n, e.ID)
	}
	n := int(m.visits.Add(1))
	if got := len(c.Record().Events); got != 2*(n-1) {
		return fmt.Errorf("visit %d to %s finds %d events", n, e.ID, got)
	}
	if err := c.Begin(try(n, n, later(n+60))); err != nil {
		return err
	}
	if n == 2 {
		m.removed.Add(1)
		m.holders.Add(-1)
		return c.Remove(spool.Event{}, spool.Soon)
	}
	if err := c.Append(result(n, n, later(n), deferral(0)), spool.Lazy); err != nil {
		return err
	}
	m.holders.Add(-1)
	return c.Release()
}

// testRaceOfWriters: eight writers put ten messages each.
func testRaceOfWriters(k kit, h Harness) {
	const writers, each = 8, 10
	race(k, h, writers, func(g int, s spool.Store) {
		for i := range each {
			d, err := draftImport(k.Context(), s, spool.ID(fmt.Sprintf("%08d%08d", g, i)))
			if err == nil {
				_, err = s.Commit(k.Context(), d)
			}
			if err != nil {
				k.Errorf("writing among others: %v", err)
				return
			}
		}
	})
	if n := len(k.list(h.Store)); n != writers*each {
		k.Errorf("%d messages are listed, want %d", n, writers*each)
	}
}
