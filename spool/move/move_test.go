package move_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
	"notices/spool/move"
)

var start = time.Unix(1_790_000_000, 0).UTC()

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lives are the messages of a spool, and what has happened to each.
func lives() map[spool.ID][]spool.Event {
	attempt := []spool.Event{
		{Kind: spool.Try, At: minute(1), N: 1, Next: minute(30)},
		{Kind: spool.Result, At: minute(2), N: 1, Next: minute(60), Results: []spool.Answer{
			{Outcome: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Code: 250, At: minute(2)}}, To: []int{0}},
			{Outcome: spool.Outcome{Class: spool.Deferred, Reply: spool.Reply{Server: "1", Code: 451, Text: "later", At: minute(2)}}, To: []int{1}},
		}},
	}
	return map[spool.ID][]spool.Event{
		"0000000000000NEW": nil,
		"00000000DEFERRED": attempt,
		"00000000000HE1D0": append(attempt[:2:2], spool.Event{Kind: spool.Hold, At: minute(3), Note: "by hand"}),
		"0000000000FA11ED": append(attempt[:2:2], spool.Event{Kind: spool.GiveUp, At: minute(4), Note: "nobody can get its return"}),
	}
}

func envelope(id spool.ID) spool.Envelope {
	return spool.Envelope{
		ID: id, Sender: "library@example.org", Recipients: []string{"ann@example.net", "bob@example.net"},
		QueuedAt: start, ExpiresAt: minute(6000), Ref: "patron " + string(id), MessageID: "<" + string(id) + "@example.org>",
		ImportKeys: []spool.ImportKey{keyOf(id)},
	}
}

func keyOf(id spool.ID) (k spool.ImportKey) {
	copy(k[:], id)
	return k
}

func body(id spool.ID) string {
	return "Subject: " + string(id) + "\r\n\r\n" + strings.Repeat("text\r\n", 800)
}

// entries are those of messages that have left.
func entries() (list []spool.HistoryEntry) {
	for i := range 5 {
		list = append(list, spool.HistoryEntry{
			ID: spool.ID(fmt.Sprintf("%016d", i)), QueuedAt: minute(-i), EndedAt: minute(1), Sender: "library@example.org",
			Recipient: "ann@example.net", Ending: spool.EndedDelivered, Attempts: 1,
		})
	}
	return list
}

// fill puts the messages into a spool.
func fill(t *testing.T, s spool.Store) {
	t.Helper()
	for id, events := range lives() {
		d, err := s.New(t.Context(), id)
		must(t, err)
		_, err = d.Write([]byte(body(id)))
		must(t, err)
		must(t, d.Seal(envelope(id), events...))
		_, err = s.Commit(t.Context(), d)
		must(t, err)
	}
	must(t, s.AddHistory(t.Context(), entries()...))
	must(t, s.AddImported(t.Context(), keyOf("left")))
}

// run is the whole move, as import makes it.
func run(ctx context.Context, from, to spool.Store) (*move.Mover, error) {
	keys, release, err := from.Imported(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	defer release()
	known, releaseTo, err := to.Imported(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	defer releaseTo()
	m := &move.Mover{From: from, To: to, Known: known}
	if err = m.All(ctx); err == nil {
		_, err = m.History(ctx)
	}
	if err == nil {
		err = m.Keys(ctx, keys)
	}
	return m, err
}

func list(t *testing.T, s spool.Store) (all []spool.Entry) {
	t.Helper()
	keep := func(e spool.Entry) bool { all = append(all, e); return true }
	for range 2 {
		all = all[:0]
		must(t, s.Scan(t.Context(), keep))
		must(t, s.ScanFailed(t.Context(), keep))
		found, err := s.Repair(t.Context())
		must(t, err)
		for _, a := range found {
			if a.Moved != "" && strings.HasPrefix(a.Name, "cur/") {
				t.Fatalf("set aside: %+v", a)
			}
		}
	}
	return all
}

// leaves is what a flush of the second spool does: messages leave it. Each must be whole.
func leaves(t *testing.T, s spool.Store, left map[spool.ID]int) {
	t.Helper()
	all := lives()
	for _, e := range list(t, s) {
		c, err := s.Claim(t.Context(), e)
		if errors.Is(err, spool.ErrGone) {
			continue
		}
		must(t, err)
		got := make([]byte, c.Body().Size())
		if _, err := c.Body().ReadAt(got, 0); err != nil || string(got) != body(e.ID) {
			t.Fatalf("%s: its text changed: %v", e.ID, err)
		}
		env := c.Record().Envelope
		if len(env.ImportKeys) != 2 || env.ImportKeys[0] != keyOf(e.ID) {
			t.Fatalf("%s has the keys %v", e.ID, env.ImportKeys)
		}
		want := envelope(e.ID)
		want.ImportKeys, want.Size = env.ImportKeys, env.Size
		if got, want := asJSON(t, c.Record()), asJSON(t, spool.NewRecord(want, all[e.ID]...)); got != want {
			t.Fatalf("%s is now %s, and was %s", e.ID, got, want)
		}
		left[e.ID]++
		must(t, c.Remove(spool.Event{}, spool.Now))
	}
}

func asJSON(t *testing.T, r *spool.Record) string {
	t.Helper()
	text, err := spool.AppendJSON(nil, []any{r.Envelope, r.Events, r.Recipients, r.QueuedAt, r.NextSendAt, r.GivenUp, r.Held})
	must(t, err)
	return string(text)
}

// checkMoved checks what is true at the end: nothing is in the first spool, and every message was
// in the second one, once.
func checkMoved(t *testing.T, what string, from, to spool.Store, left map[spool.ID]int) {
	t.Helper()
	if rest := list(t, from); len(rest) > 0 {
		t.Errorf("%s: left behind: %v", what, rest)
	}
	leaves(t, to, left)
	for id := range lives() {
		if left[id] != 1 {
			t.Errorf("%s: %s was there %d times", what, id, left[id])
		}
	}
	seen := map[spool.ID]int{}
	_, err := to.History(t.Context(), spool.HistoryQuery{Endings: []spool.Ending{spool.EndedDelivered}}, func(e *spool.HistoryEntry) bool {
		seen[e.ID]++
		return true
	})
	must(t, err)
	for _, e := range entries() {
		if seen[e.ID] != 1 {
			t.Errorf("%s: the history has %s %d times", what, e.ID, seen[e.ID])
		}
	}
	keys, release, err := to.Imported(t.Context(), time.Time{})
	must(t, err)
	must(t, release())
	for _, id := range []spool.ID{"left", "00000000DEFERRED", "0000000000FA11ED"} {
		if _, ok := keys[keyOf(id)]; !ok {
			t.Errorf("%s: the import key of %s is lost", what, id)
		}
	}
}

// onDisk opens a spool on a disk in memory.
func onDisk(t *testing.T, process *simfs.Process, moved bool) *maildir.Store {
	t.Helper()
	s, err := maildir.Open("/spool", maildir.Options{FS: process, NoHistory: moved})
	must(t, err)
	return s
}

// filled is a disk with the messages.
func filled(t *testing.T) *simfs.Disk {
	t.Helper()
	disk := simfs.New()
	s := onDisk(t, disk.Open(nil), false)
	fill(t, s)
	must(t, s.Close())
	return disk
}

func TestMove(t *testing.T) {
	disk, other := filled(t), simfs.New()
	from, to := onDisk(t, disk.Open(nil), true), onDisk(t, other.Open(nil), false)
	m, err := run(t.Context(), from, to)
	must(t, err)
	if want := (move.Counts{Messages: 4, Held: 1, Failed: 1, Entries: 5}); m.Counts != want {
		t.Errorf("%+v, want %+v", m.Counts, want)
	}
	again, err := run(t.Context(), from, to)
	if must(t, err); again.Counts != (move.Counts{}) {
		t.Errorf("once more: %+v", again.Counts)
	}
	checkMoved(t, "moved", from, to, map[spool.ID]int{})
}

// TestThereAndBack: what is moved back, and on once more, is not taken for what was moved before.
func TestThereAndBack(t *testing.T) {
	disk, other := filled(t), simfs.New()
	from, to := onDisk(t, disk.Open(nil), true), onDisk(t, other.Open(nil), true)
	for i, way := range [][2]spool.Store{{from, to}, {to, from}, {from, to}, {to, from}, {from, to}} {
		if m, err := run(t.Context(), way[0], way[1]); err != nil || m.Messages != 4 || m.Before != 0 {
			t.Fatalf("way %d: %+v, %v", i, m, err)
		}
	}
	if n := len(list(t, to)); n != 4 {
		t.Errorf("%d messages at last", n)
	}
}

// TestStoppedAnywhere kills the move at every step, or cuts the power there. Then messages leave
// the second spool, and the move is run again.
func TestStoppedAnywhere(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	places := 0
	for _, cut := range []bool{false, true} {
		for _, flushed := range []bool{false, true} {
			for k, done := 1, false; !done; k++ {
				disk, other := filled(t), simfs.New()
				steps := 0
				die := func(simfs.Step) error {
					if steps++; steps >= k {
						return simfs.ErrDead
					}
					return nil
				}
				p, q := disk.Open(die), other.Open(die)
				from, err := maildir.Open("/spool", maildir.Options{FS: p, NoHistory: true})
				to, failed := maildir.Open("/spool", maildir.Options{FS: q})
				if err = errors.Join(err, failed); err == nil {
					_, err = run(t.Context(), from, to)
				}
				done = err == nil
				places++
				disk.Kill(p)
				other.Kill(q)
				if cut {
					disk, other = disk.PowerCut(dice), other.PowerCut(dice)
				}
				what := fmt.Sprintf("step %d, power cut %t, flushed %t", k, cut, flushed)
				from, to = onDisk(t, disk.Open(nil), true), onDisk(t, other.Open(nil), false)
				left := map[spool.ID]int{}
				if flushed {
					leaves(t, to, left)
				}
				if _, err := run(t.Context(), from, to); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if checkMoved(t, what, from, to, left); t.Failed() {
					return
				}
			}
		}
	}
	t.Logf("stopped at %d places", places)
}

// TestStays: what is in flight stays and is named; so does what another message of the same id
// keeps out.
func TestStays(t *testing.T) {
	disk, other := filled(t), simfs.New()
	from, to := onDisk(t, disk.Open(nil), true), onDisk(t, other.Open(nil), false)
	e, err := spool.FindOne(t.Context(), from, "00000000DEFERRED")
	must(t, err)
	c, err := onDisk(t, disk.Open(nil), false).Claim(t.Context(), e)
	must(t, err)
	d, err := to.New(t.Context(), "0000000000000NEW")
	must(t, err)
	stranger := envelope("0000000000000NEW")
	stranger.Ref = "another"
	must(t, d.Seal(stranger))
	_, err = to.Commit(t.Context(), d)
	must(t, err)

	told := map[spool.ID]error{}
	m := &move.Mover{From: from, To: to, Known: map[spool.ImportKey]struct{}{}, Tell: func(id spool.ID, err error) { told[id] = err }}
	must(t, m.All(t.Context()))
	if m.Messages != 2 || m.Skipped != 2 || !errors.Is(told["00000000DEFERRED"], spool.ErrBusy) || !errors.Is(told["0000000000000NEW"], move.ErrConflict) {
		t.Errorf("%+v, %v", m.Counts, told)
	}
	must(t, c.Release())
	must(t, m.All(t.Context()))
	if rest := list(t, from); m.Messages != 3 || len(rest) != 1 {
		t.Errorf("%+v, left behind: %v", m.Counts, rest)
	}
}
