package flush

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"notices/spool"
)

const (
	purgeName = "purge" // the state value that says when old things were last removed
	// purgeInterval keeps an idle run to one listing of the message folder. If keep_failed is
	// shorter, it takes its place.
	purgeInterval = 24 * time.Hour
)

type purged struct {
	At        time.Time `json:"at"` // failed/
	HistoryAt time.Time `json:"history_at,omitzero"`
	// KeepHistory is what keep_history was then, in seconds. If it is shorter by now, the history
	// is purged at once.
	KeepHistory int64 `json:"keep_history,omitempty"`
}

// purge removes failed messages older than KeepFailed, once a day or more often, and days of the
// history older than KeepHistory. If that fails, no mail is affected, and the next run tries
// again.
func (e *engine) purge(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	last, err := spool.LoadState[purged](ctx, e.Store.State(), purgeName)
	if errors.Is(err, spool.ErrUnreachable) {
		return
	}
	if err != nil {
		last = purged{}
	}
	now, after := e.now(), last
	if age := now.Sub(last.At); e.KeepFailed > 0 && (age < 0 || age >= min(purgeInterval, e.KeepFailed)) {
		if err := e.purgeFailed(ctx, now); err != nil {
			e.Log.Trouble("removing failed mail that is older than keep_failed", err)
		} else {
			after.At = now
		}
	}
	if keep := int64(e.KeepHistory / time.Second); keep < last.KeepHistory || !sameDay(now, last.HistoryAt) {
		if err := e.Store.ForgetHistory(ctx, e.forgetBefore(now)); err != nil {
			e.Log.Trouble("removing history that is older than keep_history", err)
		} else {
			after.HistoryAt, after.KeepHistory = now, keep
		}
	}
	if after == last {
		return
	}
	err = spool.UpdateState(e.work, e.Store.State(), purgeName, false, func(p *purged) error {
		*p = after
		return nil
	})
	if err != nil {
		e.Log.Trouble("the time of the last removal of old failed mail and history", err)
	}
}

// sameDay is about days in UTC, which the history is kept in.
func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

// forgetBefore is until when the history is not kept: with "0", for ever.
func (e *engine) forgetBefore(now time.Time) time.Time {
	if e.KeepHistory == 0 {
		return now.AddDate(100, 0, 0)
	}
	return now.Add(-e.KeepHistory)
}

func (e *engine) purgeFailed(ctx context.Context, now time.Time) error {
	var old []spool.Entry
	err := e.Store.ScanFailed(ctx, func(entry spool.Entry) bool {
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
	return err
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

// HistoryTrouble is what is said of a history that cannot be written.
const HistoryTrouble = "the history cannot be written and lacks what became of some messages; mail is not affected"

// HistoryError is the store's, with what repairs it.
func HistoryError(s spool.Store) error {
	err := s.HistoryError()
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w; make room on that disk", err)
	case errors.Is(err, syscall.EROFS):
		err = fmt.Errorf("%w; mount it writable", err)
	}
	return err
}
