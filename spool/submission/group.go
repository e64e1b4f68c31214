package submission

import (
	"context"
	"errors"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/intake"
)

// maxGroup is how many messages are committed together. Each holds two files open.
const maxGroup = 256

// group shares the syncs of a store between sessions (group commit): while one Commit runs, it
// collects the messages that come to their end, and commits them together as soon as it is over.
// So twenty sessions cost little more than one, and one session waits for nobody. The files of a
// message are synced before that, by its own session; the sync of the folder is shared.
type group struct {
	intake.Store
	meter Meter

	mu      sync.Mutex
	waiting []*sealed
	busy    bool // a goroutine commits
}

// sealed is a message that waits to be committed.
type sealed struct {
	draft spool.Draft
	done  chan error
}

// syncer is a draft that can be made durable ahead of its Commit. Sessions do that side by side,
// so that a Commit is short and the next one begins soon.
type syncer interface{ Sync() error }

// Commit queues messages, together with those of other sessions. The end of ctx does not stop it: a
// message that may be queued already needs its answer.
func (g *group) Commit(_ context.Context, drafts ...spool.Draft) (n int, err error) {
	for _, d := range drafts {
		if d, ok := d.(syncer); ok {
			if err := d.Sync(); err != nil {
				return 0, err
			}
		}
	}
	all := make([]*sealed, len(drafts))
	g.mu.Lock()
	for i, d := range drafts {
		all[i] = &sealed{d, make(chan error, 1)}
		g.waiting = append(g.waiting, all[i])
	}
	if !g.busy {
		g.busy = true
		go g.run()
	}
	g.mu.Unlock()
	for _, s := range all {
		if e := <-s.done; e != nil && err == nil {
			err = e
		} else if err == nil {
			n++
		}
	}
	return n, err
}

// run commits until nothing waits.
func (g *group) run() {
	for {
		g.mu.Lock()
		batch := g.waiting
		if len(batch) > maxGroup {
			batch = batch[:maxGroup:maxGroup]
		}
		g.waiting = g.waiting[len(batch):]
		g.busy = len(batch) > 0
		g.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		g.commit(batch)
	}
}

// commit gives each message its own result. If the id of one exists already, the others are still
// committed. Any other error is that of all: after a failed sync none of them can be committed again.
func (g *group) commit(batch []*sealed) {
	for len(batch) > 0 {
		drafts := make([]spool.Draft, len(batch))
		for i, s := range batch {
			drafts[i] = s.draft
		}
		began := time.Now()
		n, err := g.Store.Commit(context.Background(), drafts...)
		if n > 0 {
			g.meter.Committed(n, time.Since(began))
		}
		for _, s := range batch[:n] {
			s.done <- nil
		}
		if batch = batch[n:]; len(batch) == 0 {
			return
		}
		if errors.Is(err, spool.ErrExists) {
			batch[0].done <- err
			batch = batch[1:]
			continue
		}
		if err == nil {
			err = errors.New("not all messages were queued")
		}
		for _, s := range batch {
			s.done <- err
		}
		return
	}
}
