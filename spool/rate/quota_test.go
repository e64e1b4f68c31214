package rate

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// slow is a State whose changes take a while, on the clock of a synctest bubble.
type slow struct {
	spool.State
	takes time.Duration
}

func (s slow) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	defer time.Sleep(s.takes)
	return s.State.Update(ctx, name, durable, change)
}

// counted is how many transactions of the last minute are in the ledger.
func counted(t *testing.T, s spool.State, name string) (n int) {
	t.Helper()
	l, err := spool.LoadState[ledger](t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range l.Minute {
		n += span.N
	}
	return n
}

// TestSlowState: a message of a site counts even if counting it takes longer than the grace.
func TestSlowState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := slow{maildirtest.State(), time.Second}
		q := newSiteQuota("site-library", 3, 0, state, time.Now)
		for range 3 {
			if at, err := q.TryTake(t.Context()); err != nil || at.IsZero() {
				t.Errorf("counted at %v, %v", at, err)
			}
		}
		if _, err := q.TryTake(t.Context()); err == nil {
			t.Error("a fourth message in the same minute")
		}
	})
}

// TestCloseWhileInUse: giving back what is not used does not disturb those who take.
func TestCloseWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := slow{maildirtest.State(), 3 * time.Millisecond}
		q := newSiteQuota("site-library", 6000, 0, state, time.Now)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 50 {
					at, err := q.TryTake(t.Context())
					if err != nil || at.IsZero() {
						t.Errorf("taken at %v, %v", at, err)
					}
					if n%5 == 0 {
						q.PutBack(at)
					}
					time.Sleep(time.Duration(i+1) * time.Millisecond)
				}
			})
		}
		all.Go(func() {
			for range 40 {
				if err := q.Close(t.Context()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		})
		all.Wait()
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := counted(t, state, spool.RateName+"site-library"); n != 8*40 {
			t.Errorf("%d messages are counted, and %d were taken", n, 8*40)
		}
	})
}
