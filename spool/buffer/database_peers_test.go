//go:build peers

package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/faulty"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

var server *cluster.Server

func TestMain(m *testing.M) { os.Exit(cluster.Run(&server, m.Run)) }

func newDatabase(t *testing.T) string {
	t.Helper()
	name, err := server.NewDatabase()
	must(t, err)
	return name
}

func open(t *testing.T, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), o)
	must(t, err)
	return s
}

// TestCutInMidCommit: the connection is lost for good before each statement, or before its answer. The
// message is accepted all the same. What the database has is sent before the folder is moved, or
// after that. In the end the message was sent once: with a history, and with marked messages.
func TestCutInMidCommit(t *testing.T) {
	name := newDatabase(t)
	open(t, postgres.Options{URL: server.URL(name)}).Close()
	p, err := server.StartProxy()
	must(t, err)
	defer p.Stop()
	cuts, inBoth := 0, 0
	for _, size := range []int{1000, 600_000} {
		for _, mark := range []bool{false, true} {
			for _, late := range []bool{false, true} {
				for _, sent := range []bool{false, true} {
					for at := 1; ; at++ {
						cuts++
						what := fmt.Sprintf("%d octets, mark %t, late %t, sent %t, cut at %d", size, mark, late, sent, at)
						hit, both := cutInMidCommit(t, p, name, cluster.Cut{At: at, Late: late, Stays: true}, size, mark, sent, what)
						if both {
							inBoth++
						}
						if t.Failed() {
							return
						}
						if !hit {
							break
						}
					}
				}
			}
		}
	}
	t.Logf("%d cuts; after %d of them the message was in both places", cuts, inBoth)
	if inBoth == 0 {
		t.Error("no cut left the message in both places")
	}
}

func cutInMidCommit(t *testing.T, p *cluster.Proxy, name string, c cluster.Cut, size int, mark, sent bool, what string) (hit, both bool) {
	t.Helper()
	p.Plan(c)
	o := postgres.Options{URL: p.URL(name), NoHistory: mark, Patience: 300 * time.Millisecond}
	folder := onDisk(t, simfs.New().Open(nil))
	s := &buffer.Store{
		Database: func(ctx context.Context) (buffer.Target, error) {
			db, err := postgres.Open(ctx, o)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { db.Close() })
			return db, nil
		},
		Folder: always(folder), Now: time.Now, Mark: mark,
	}
	id := spool.NewID(time.Now())
	if err := handIn(s, id, size); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	hit = p.Count() >= c.At
	p.Plan(cluster.Cut{})
	direct := open(t, postgres.Options{URL: server.URL(name), NoHistory: mark})
	defer direct.Close()
	count := map[spool.ID]int{}
	both = len(ids(t, direct)) == 1 && len(ids(t, folder)) == 1
	if sent {
		deliver(t, direct, count)
	}
	_, err := buffer.Move(t.Context(), folder, direct, noneStays(t), nil)
	must(t, err)
	deliver(t, direct, count)
	if count[id] != 1 || len(count) != 1 || len(ids(t, folder)) != 0 {
		t.Errorf("%s: sent %d times; in the folder: %v", what, count[id], ids(t, folder))
	}
	return hit, both
}

// TestLateCommit: the network delivers a commit after its message was moved, sent and removed. It is
// refused.
func TestLateCommit(t *testing.T) {
	for _, mark := range []bool{false, true} {
		db := open(t, postgres.Options{URL: server.URL(newDatabase(t)), NoHistory: mark})
		defer db.Close()
		folder := onDisk(t, simfs.New().Open(nil))
		id := spool.NewID(time.Now())
		s := &buffer.Store{Database: never(errAway), Folder: always(folder), Now: time.Now, Mark: mark}
		must(t, handIn(s, id, 1000))
		moved, err := buffer.Move(t.Context(), folder, db, noneStays(t), nil)
		if must(t, err); moved.Messages != 1 {
			t.Errorf("%+v", moved)
		}
		count := map[spool.ID]int{}
		deliver(t, db, count)
		late := &buffer.Store{Database: always(db), Folder: never(errAway), Now: time.Now, Mark: mark}
		if err := handIn(late, id, 1000); !errors.Is(err, spool.ErrLeft) {
			t.Errorf("mark %t: the late one: %v", mark, err)
		}
		if deliver(t, db, count); count[id] != 1 {
			t.Errorf("mark %t: sent %d times", mark, count[id])
		}
	}
}

// TestKilledInMidMove: the move dies before or after each call on the database, or at each step on the
// disk. Then messages leave the database, or do not, and the move is run again.
func TestKilledInMidMove(t *testing.T) {
	places, name := 0, newDatabase(t)
	open(t, postgres.Options{URL: server.URL(name)}).Close()
	for _, sent := range []bool{false, true} {
		for _, plan := range []faulty.Plan{{Die: true}, {Die: true, Late: true}, {Err: spool.ErrUnsure, Late: true}} {
			for plan.At = 1; ; plan.At++ {
				places++
				if !killedInMidMove(t, name, plan, func(simfs.Step) error { return nil }, sent) || t.Failed() {
					break
				}
			}
		}
		for k := 1; sent; k++ {
			places++
			steps := 0
			killedInMidMove(t, name, faulty.Plan{}, func(simfs.Step) error {
				if steps++; steps >= k {
					return simfs.ErrDead
				}
				return nil
			}, sent)
			if steps < k || t.Failed() {
				break
			}
		}
	}
	t.Logf("killed at %d places", places)
}

func killedInMidMove(t *testing.T, name string, plan faulty.Plan, die func(simfs.Step) error, sent bool) (hit bool) {
	t.Helper()
	url, disk := server.URL(name), simfs.New()
	_, err := server.SQL(name, `truncate notices.session, notices.message, notices.content, notices.chunk, notices.draft, notices.import_key, notices.history`)
	must(t, err)
	before := onDisk(t, disk.Open(nil))
	for i := range 3 {
		must(t, handIn(before, spool.ID(fmt.Sprintf("%016d", i)), 1000+300_000*i))
	}
	must(t, before.Close())

	first := open(t, postgres.Options{URL: url})
	process, to := disk.Open(die), faulty.New(first, plan)
	folder, err := maildir.Open("/spool", maildir.Options{FS: process, NoHistory: true})
	if err == nil {
		_, _ = buffer.Move(t.Context(), folder, to, func(spool.ID, error) {}, nil) // its error is the plan's
	}
	disk.Kill(process)
	must(t, first.Close())

	db, again := open(t, postgres.Options{URL: url}), onDisk(t, disk.Open(nil))
	defer db.Close()
	count := map[spool.ID]int{}
	if sent {
		deliver(t, db, count)
	}
	_, err = buffer.Move(t.Context(), again, db, noneStays(t), nil)
	must(t, err)
	deliver(t, db, count)
	for i := range 3 {
		if id := spool.ID(fmt.Sprintf("%016d", i)); count[id] != 1 {
			t.Errorf("%+v, sent %t: %s was sent %d times", plan, sent, id, count[id])
		}
	}
	if left := ids(t, again); len(left) > 0 {
		t.Errorf("%+v: in the folder: %v", plan, left)
	}
	return to.Hit()
}

// TestRace: two programs hand mail in and cannot reach the database, while two flushes move that mail.
func TestRace(t *testing.T) {
	const hosts, each = 2, 40
	url, disk := server.URL(newDatabase(t)), simfs.New()
	var in, moving sync.WaitGroup
	for h := range hosts {
		s := &buffer.Store{Database: never(errAway), Folder: always(onDisk(t, disk.Open(nil))), Now: time.Now}
		in.Go(func() {
			for i := range each {
				if err := handIn(s, spool.ID(fmt.Sprintf("%08d%08d", h, i)), 1000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		db, folder := open(t, postgres.Options{URL: url}), onDisk(t, disk.Open(nil))
		moving.Go(func() {
			defer db.Close()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				if _, err := buffer.Move(context.Background(), folder, db, func(id spool.ID, err error) { t.Errorf("%s stays: %v", id, err) }, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	in.Wait()
	close(done)
	moving.Wait()
	db, count := open(t, postgres.Options{URL: url}), map[spool.ID]int{}
	defer db.Close()
	_, err := buffer.Move(t.Context(), onDisk(t, disk.Open(nil)), db, noneStays(t), nil)
	must(t, err)
	if deliver(t, db, count); len(count) != hosts*each {
		t.Errorf("%d messages, not %d", len(count), hosts*each)
	}
}
