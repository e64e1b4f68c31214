package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"notices/spool"
)

// racer is what one of many workers on one spool has in common with the others.
type racer struct {
	kit
	holders map[spool.ID]*atomic.Int32
	visits  map[spool.ID]*atomic.Int32
	removed map[spool.ID]*atomic.Int32
	errors  atomic.Int32
}

// sweep repairs the spool again and again until stop: nothing that lives may be
// taken for left over.
func sweep(k kit, s spool.Store, stop *atomic.Bool) {
	for !stop.Load() {
		err := s.Scan(k.ctx, func(spool.Entry) bool { return true })
		found, repairErr := s.Repair(k.ctx)
		if err != nil || repairErr != nil {
			k.Errorf("Scan and Repair among others: %v, %v", err, repairErr)
			return
		}
		for _, a := range found {
			if a.Moved != "" {
				k.Errorf("Repair among others: %+v", a)
			}
		}
	}
}

// testRaceForClaims: sixteen workers over two handles take 200 messages. Each is
// held by one at a time, put back once and then removed, exactly once. A third
// handle sweeps.
func testRaceForClaims(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	r := &racer{kit: k, holders: map[spool.ID]*atomic.Int32{}, visits: map[spool.ID]*atomic.Int32{}, removed: map[spool.ID]*atomic.Int32{}}
	var drafts []spool.Draft
	for i := range 200 {
		id := spool.ID(fmt.Sprintf("m%03d", i))
		r.holders[id], r.visits[id], r.removed[id] = new(atomic.Int32), new(atomic.Int32), new(atomic.Int32)
		drafts = append(drafts, k.sealed(h.Store, sample(id, 1), content(50)))
	}
	_, err := h.Store.Commit(k.ctx, drafts...)
	k.ok(err, "Commit")

	third := h.Reopen()
	defer closeAll(k, third)
	var over atomic.Bool
	var sweeper, wg sync.WaitGroup
	sweeper.Go(func() { sweep(k, third, &over) })
	for g := range 16 {
		s := h.Store
		if g%2 == 1 {
			s = other
		}
		wg.Go(func() { r.work(s) })
	}
	wg.Wait()
	over.Store(true)
	sweeper.Wait()
	for id, n := range r.removed {
		if n.Load() != 1 {
			k.Errorf("%s was removed %d times", id, n.Load())
		}
	}
	k.listed("after the race", []spool.Store{h.Store, other})
}

// work goes on until every message is removed, or a worker met an error.
func (r *racer) work(s spool.Store) {
	for r.errors.Load() == 0 {
		left := 0
		err := s.Scan(r.ctx, func(e spool.Entry) bool {
			left++
			if err := r.visit(s, e); err != nil {
				r.errors.Add(1)
				r.Errorf("%s among others: %v", e.ID, err)
				return false
			}
			return true
		})
		if err != nil {
			r.errors.Add(1)
			r.Errorf("Scan among others: %v", err)
		}
		if left == 0 && r.allRemoved() {
			return
		}
	}
}

// allRemoved: a scan may miss what is renamed meanwhile.
func (r *racer) allRemoved() bool {
	for _, n := range r.removed {
		if n.Load() == 0 {
			return false
		}
	}
	return true
}

func (r *racer) visit(s spool.Store, e spool.Entry) error {
	c, err := s.Claim(r.ctx, e)
	if errors.Is(err, spool.ErrBusy) || errors.Is(err, spool.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if n := r.holders[e.ID].Add(1); n != 1 {
		return fmt.Errorf("%d hold it at once", n)
	}
	n := int(r.visits[e.ID].Add(1))
	if got := len(c.Record().Events); got != 2*(n-1) {
		return fmt.Errorf("visit %d finds %d events", n, got)
	}
	if err := c.Begin(try(n, n, later(n+60))); err != nil {
		return err
	}
	if n == 2 {
		r.removed[e.ID].Add(1)
		r.holders[e.ID].Add(-1)
		return c.Remove(spool.Soon)
	}
	if err := c.Append(result(n, n, later(n), deferral(0)), spool.Lazy); err != nil {
		return err
	}
	r.holders[e.ID].Add(-1)
	return c.Release()
}

// testRaceOfWriters: eight writers over two handles put ten messages each, while
// a third handle sweeps.
func testRaceOfWriters(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	const writers, each = 8, 10
	third := h.Reopen()
	defer closeAll(k, third)
	var over atomic.Bool
	var sweeper, wg sync.WaitGroup
	sweeper.Go(func() { sweep(k, third, &over) })
	for g := range writers {
		s := h.Store
		if g%2 == 1 {
			s = other
		}
		wg.Go(func() {
			for i := range each {
				d, err := draftImport(k.ctx, s, spool.ID(fmt.Sprintf("%08d%08d", g, i)))
				if err == nil {
					_, err = s.Commit(k.ctx, d)
				}
				if err != nil {
					k.Errorf("writing among others: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	over.Store(true)
	sweeper.Wait()
	if n := len(k.list(h.Store)); n != writers*each {
		k.Errorf("%d messages are listed, want %d", n, writers*each)
	}
}
