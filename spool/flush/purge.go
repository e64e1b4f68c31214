package flush

import (
	"context"
	"errors"
	"fmt"
	"time"

	"notices/spool"
)

const (
	purgeName = "purge" // the state value that says when failed/ was last purged
	// purgeInterval keeps an idle run to one listing of the message folder. If keep_failed is
	// shorter, it takes its place.
	purgeInterval = 24 * time.Hour
)

type purged struct {
	At time.Time `json:"at"`
}

// purge removes failed messages older than KeepFailed, once a day or more often. If it fails,
// no mail is affected, and the next run tries again.
func (e *engine) purge(ctx context.Context) {
	if e.KeepFailed <= 0 || ctx.Err() != nil {
		return
	}
	now := e.now()
	last, err := spool.LoadState[purged](ctx, e.Store.State(), purgeName)
	if age := now.Sub(last.At); err == nil && age >= 0 && age < min(purgeInterval, e.KeepFailed) {
		return
	}
	var old []spool.Entry
	err = e.Store.ScanFailed(ctx, func(entry spool.Entry) bool {
		if now.Sub(entry.Next) > e.KeepFailed {
			old = append(old, entry)
		}
		return true
	})
	for i := 0; err == nil && i < len(old) && ctx.Err() == nil; i++ {
		if err := e.removeFailed(old[i]); err != nil {
			e.stuck.mark(old[i].ID, fmt.Errorf("it is older than keep_failed and cannot be removed: %w", err))
		}
	}
	if err == nil {
		err = spool.UpdateState(e.work, e.Store.State(), purgeName, false, func(p *purged) error {
			p.At = now
			return nil
		})
	}
	if err != nil {
		e.Log.Trouble("removing failed mail that is older than keep_failed", err)
	}
}

func (e *engine) removeFailed(entry spool.Entry) error {
	j := e.claim(entry)
	if j == nil {
		return nil
	}
	err := j.claim.Remove(spool.Event{}, spool.Soon)
	if err == nil {
		e.Log.Removed(entry.ID, "keep_failed")
	}
	return errors.Join(err, j.claim.Release())
}
