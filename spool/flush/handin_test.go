package flush

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// handIn takes over "late" and notes how it was ended.
func (w *world) handIn(begin, end error, ended *[]bool) HandIn {
	return func(context.Context) (func(bool) error, error) {
		if begin != nil {
			return nil, begin
		}
		w.put("late", nil)
		return func(due bool) error {
			if len(w.mail.attempts) > 0 {
				w.t.Error("a message is attempted before end was called")
			}
			*ended = append(*ended, due)
			return end
		}, nil
	}
}

// What was handed in is taken over before the listing, and is sent in the same run.
func TestHandedInGoesOut(t *testing.T) {
	w := newWorld(t)
	var ended []bool
	w.o.HandIn = w.handIn(nil, nil, &ended)
	w.wants(1, 0, 0, 0)
	if len(ended) != 1 || !ended[0] {
		t.Errorf("ended: %v", ended)
	}
}

// If nothing is due, end is told so, because then no folder needs to be synced.
func TestNothingDueAfterHandIn(t *testing.T) {
	w := newWorld(t)
	var ended []bool
	w.o.HandIn = w.handIn(nil, nil, &ended)
	now := w.clock.Add(-2 * time.Minute) // "late" is due then
	w.o.Now = func() time.Time { return now }
	w.wants(0, 0, 0, 0)
	if len(ended) != 1 || ended[0] {
		t.Errorf("ended: %v", ended)
	}
}

// If taking over fails, or end does, the run ends at once.
func TestHandInFails(t *testing.T) {
	for _, ending := range []bool{false, true} {
		w := newWorld(t)
		w.put("A", nil)
		var ended []bool
		w.o.HandIn = w.handIn(syscall.EIO, nil, &ended)
		if ending {
			w.o.HandIn = w.handIn(nil, syscall.EIO, &ended)
		}
		_, err := Run(t.Context(), w.o)
		if !errors.Is(err, ErrSpool) || !errors.Is(err, syscall.EIO) || len(w.mail.attempts) != 0 || len(ended) != map[bool]int{true: 1}[ending] {
			t.Errorf("ending %v: error %v, attempts %v, ended %v", ending, err, w.mail.attempts, ended)
		}
	}
}

// A run that is stopped while it waits for another flush has sent nothing, and the spool is
// not to blame.
func TestStoppedWhileWaiting(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	w.o.HandIn = func(ctx context.Context) (func(bool) error, error) {
		stop()
		return nil, ctx.Err()
	}
	if _, err := Run(ctx, w.o); !errors.Is(err, context.Canceled) || errors.Is(err, ErrSpool) {
		t.Errorf("error %v", err)
	}
}
