package submission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/maildirtest"
)

// slowStore takes a second for each Commit, on the clock of a synctest bubble.
type slowStore struct {
	spool.Store
	batches []int
}

func (s *slowStore) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	time.Sleep(time.Second)
	s.batches = append(s.batches, len(drafts))
	return s.Store.Commit(ctx, drafts...)
}

func draft(t testing.TB, s spool.Store, id spool.ID) spool.Draft {
	t.Helper()
	d, err := s.New(t.Context(), id)
	if err == nil {
		_, err = d.Write([]byte("Subject: x\r\n\r\ny\r\n"))
	}
	if err == nil {
		err = d.Seal(spool.Envelope{Recipients: []string{"ada@example.net"}, QueuedAt: time.Unix(1_900_000_000, 0)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestGroup: twenty sessions wait for two commits; one waits for one.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: maildirtest.New()}
		g := &group{Store: store, meter: noMeter{}}
		began := time.Now()
		commit := func(i int) {
			if n, err := g.Commit(t.Context(), draft(t, store, spool.ID(fmt.Sprint(i)))); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
		commit(0)
		if d := time.Since(began); d != time.Second {
			t.Errorf("one waits %v", d)
		}
		var all sync.WaitGroup
		all.Go(func() { commit(1) })
		synctest.Wait()
		for i := 2; i < 400; i++ {
			all.Go(func() { commit(i) })
		}
		all.Wait()
		if d := time.Since(began); d != 4*time.Second || !slices.Equal(store.batches, []int{1, 1, 256, 142}) {
			t.Errorf("%v after %v", store.batches, d)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// unsyncable is a draft that cannot be made durable.
type unsyncable struct{ spool.Draft }

var errDisk = errors.New("the disk failed")

func (unsyncable) Sync() error { return errDisk }

// TestGroupSyncs: a draft is synced by its own session, and without that it is not committed.
func TestGroupSyncs(t *testing.T) {
	store := maildirtest.New()
	defer store.Close()
	g := &group{meter: noMeter{}, Store: storeFunc{store, func([]spool.Draft) (int, error) {
		t.Error("it was committed")
		return 0, nil
	}}}
	d := draft(t, store, "A")
	if n, err := g.Commit(t.Context(), unsyncable{d}); n != 0 || !errors.Is(err, errDisk) {
		t.Error(n, err)
	}
	if _, ok := d.(syncer); !ok {
		t.Error("a draft of the folder cannot be synced ahead")
	}
	if err := d.Abort(); err != nil {
		t.Error(err)
	}
}

// TestGroupResults: whatever the store says to a group, each session gets the result of its own
// message: nil for exactly those that are queued, unless it is not known.
func TestGroupResults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := maildirtest.New()
		defer store.Close()
		var mu sync.Mutex
		unsure := false
		g := &group{meter: noMeter{}, Store: storeFunc{store, func(drafts []spool.Draft) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			n := rapid.IntRange(0, len(drafts)-1).Draw(rt, "n")
			switch rapid.IntRange(0, 3).Draw(rt, "what happens") {
			case 0:
				if n, err := store.Commit(t.Context(), drafts[:n]...); err != nil {
					return n, err
				}
				return n, errors.New("no space left")
			case 1:
				unsure = true
				_, _ = store.Commit(t.Context(), drafts[:n]...)
				return 0, spool.ErrUnsure
			}
			return store.Commit(t.Context(), drafts...)
		}}}
		batch := make([]*sealed, rapid.IntRange(1, 12).Draw(rt, "messages"))
		before := map[int]bool{}
		for i := range batch {
			id := spool.ID(fmt.Sprint(i))
			if before[i] = rapid.IntRange(0, 4).Draw(rt, "there already") == 0; before[i] {
				if _, err := store.Commit(t.Context(), draft(t, store, id)); err != nil {
					rt.Fatal(err)
				}
			}
			batch[i] = &sealed{draft(t, store, id), make(chan error, 1)}
		}
		g.commit(batch)
		for i, s := range batch {
			err := <-s.done
			found, e := store.Find(t.Context(), spool.ID(fmt.Sprint(i)))
			if e != nil {
				rt.Fatal(e)
			}
			queued := len(found) == 1 && !before[i]
			if queued != (err == nil) && !(unsure && errors.Is(err, spool.ErrUnsure)) {
				rt.Fatalf("message %d: queued %v, told %v", i, queued, err)
			}
			_ = s.draft.Abort()
		}
	})
}

// storeFunc has its own Commit.
type storeFunc struct {
	spool.Store
	commit func([]spool.Draft) (int, error)
}

func (s storeFunc) Commit(_ context.Context, drafts ...spool.Draft) (int, error) {
	return s.commit(drafts)
}
