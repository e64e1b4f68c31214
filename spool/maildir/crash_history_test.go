package maildir

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/maildir/historyfile"
)

// leaving are the stories by which the message leaves the queue, and what the history then says.
func leaving(t *testing.T) map[string]spool.Ending {
	t.Helper()
	endings := map[string]spool.Ending{
		"deliver": spool.EndedDelivered, "remove": spool.EndedRemoved, "fail": spool.EndedFailed, "remove failed": spool.EndedFailed,
	}
	found := 0
	for _, st := range stories {
		if endings[st.name] != "" {
			found++
		}
	}
	if found != len(endings) {
		t.Fatalf("%d of %d stories", found, len(endings))
	}
	return endings
}

// endingsOf are those in the history of the message, and what is said of damage.
func endingsOf(t *testing.T, disk *simfs.Disk, id spool.ID) (endings []spool.Ending, damage []spool.Anomaly) {
	t.Helper()
	s, err := Open("/spool", Options{FS: disk.Open(nil)})
	must(t, err)
	defer s.Close()
	damage, err = s.History(context.Background(), spool.HistoryQuery{IDs: []spool.ID{id}}, func(e *spool.HistoryEntry) bool {
		endings = append(endings, e.Ending)
		return true
	})
	must(t, err)
	return endings, damage
}

// left reports whether the message has left the queue.
func left(state string) bool { return state == absent || state == inFailed }

// TestKillLosesNoHistory: whenever the process dies, what left the queue has an entry.
func TestKillLosesNoHistory(t *testing.T) {
	want := leaving(t)
	for _, st := range stories {
		if want[st.name] == "" {
			continue
		}
		_, steps, _ := run(t, st, 0, nil)
		for k := range steps + 1 {
			disk, _, _ := run(t, st, k, simfs.ErrDead)
			if !left(stateOf(t, disk, false)) {
				continue
			}
			if got, damage := endingsOf(t, disk, theID); len(got) != 1 || got[0] != want[st.name] || len(damage) > 0 {
				t.Errorf("%s, killed at step %d of %d: the history says %q, %v", st.name, k, steps, got, damage)
			}
		}
	}
}

// TestPowerCutLosesNoSyncedHistory: once the call has returned and synced, the entry is there,
// and before that no power cut makes one that nobody wrote.
func TestPowerCutLosesNoSyncedHistory(t *testing.T) {
	want := leaving(t)
	for _, st := range stories {
		if want[st.name] == "" {
			continue
		}
		_, steps, _ := run(t, st, 0, nil)
		for k := range steps + 1 {
			disk, _, told := run(t, st, k, simfs.ErrDead)
			for seed := range uint64(powerCuts) {
				got, damage := endingsOf(t, disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k)))), theID)
				missing := told == nil && st.name != "fail" && len(got) == 0 // Fail syncs its entry with others
				if missing || len(got) > 0 && got[0] != want[st.name] || len(damage) > 0 {
					t.Fatalf("%s, power cut at step %d of %d (%v), seed %d: the history says %q, %v", st.name, k, steps, told, seed, got, damage)
				}
			}
		}
	}
}

// TestMailGoesBeforeHistory: whatever step of the history fails, the message leaves, the error
// is told, and the next entry is whole, on a line of its own.
func TestMailGoesBeforeHistory(t *testing.T) {
	want := leaving(t)
	for _, st := range stories {
		if want[st.name] == "" {
			continue
		}
		for _, wrong := range []error{unix.EIO, unix.ENOSPC, unix.EROFS, unix.EDQUOT, unix.EACCES, simfs.ErrShort} {
			for _, op := range []string{"mkdir", "create", "write", "sync", "syncdir"} {
				disk, err, told := failHistory(t, st, op, wrong)
				if got := stateOf(t, disk, false); got != st.whole || told != nil || err == nil {
					t.Fatalf("%s, %v of %s: %s, %v, %v", st.name, wrong, op, got, told, err)
				}
				nextIsWhole(t, disk)
			}
		}
	}
}

// failHistory tells a story in which a step of the history fails each time.
func failHistory(t *testing.T, st story, op string, wrong error) (disk *simfs.Disk, history, told error) {
	t.Helper()
	disk = simfs.New()
	s, err := Open("/spool", Options{FS: disk.Open(nil), NoHistory: true})
	must(t, err)
	must(t, st.before(s))
	must(t, s.Close())
	s, err = Open("/spool", Options{FS: disk.Open(func(step simfs.Step) error {
		if step.Op == op && strings.HasPrefix(step.Name+"/", historyfile.Dir+"/") {
			return wrong
		}
		return nil
	})})
	must(t, err)
	told = st.tell(s)
	must(t, s.Sync(t.Context()))
	history = s.HistoryError()
	if again := s.HistoryError(); again != nil {
		t.Errorf("told twice: %v", again)
	}
	must(t, s.Close())
	return disk, history, told
}

// nextIsWhole lets another message leave, in another process.
func nextIsWhole(t *testing.T, disk *simfs.Disk) {
	t.Helper()
	s, err := Open("/spool", Options{FS: disk.Open(nil)})
	must(t, err)
	must(t, s.AddHistory(t.Context(), spool.HistoryEntry{ID: "next", QueuedAt: unixTime(100), Recipient: "next@example.net", Ending: spool.EndedDelivered}))
	must(t, s.Close())
	if got, _ := endingsOf(t, disk, "next"); len(got) != 1 {
		t.Errorf("the next entry is lost: %q", got)
	}
	s, err = Open("/spool", Options{FS: disk.Open(nil)})
	must(t, err)
	defer s.Close()
	damage, err := s.History(t.Context(), spool.HistoryQuery{}, func(*spool.HistoryEntry) bool { return true })
	if err != nil || len(damage) > 1 {
		t.Errorf("%v, %v", damage, err)
	}
}

// TestHistoryOfManyRecipients: the entries of one message are one write, however many.
func TestHistoryOfManyRecipients(t *testing.T) {
	disk := simfs.New()
	writes := 0
	s, err := Open("/spool", Options{FS: disk.Open(func(step simfs.Step) error {
		if step.Op == "write" && strings.HasPrefix(step.Name, historyfile.Dir) {
			writes++
		}
		return nil
	})})
	must(t, err)
	defer s.Close()
	env := testEnvelope()
	env.ID, env.QueuedAt, env.Recipients = theID, unixTime(100), make([]string, spool.MaxRecipients)
	for i := range env.Recipients {
		env.Recipients[i] = strings.Repeat("x", i%60+1) + "@example.net"
	}
	d, err := s.New(t.Context(), env.ID)
	must(t, err)
	must(t, d.Seal(env))
	_, err = s.Commit(t.Context(), d)
	must(t, err)
	must(t, removeNow(s))
	n := 0
	_, err = s.History(t.Context(), spool.HistoryQuery{}, func(e *spool.HistoryEntry) bool {
		if e.Index != n || e.Recipient != env.Recipients[n] {
			t.Fatalf("entry %d is %+v", n, e)
		}
		n++
		return true
	})
	if err != nil || n != spool.MaxRecipients || writes != 1 {
		t.Errorf("%d entries in %d writes, %v", n, writes, err)
	}
}

// TestHistoryOverMidnight: the file of the day before is synced as well.
func TestHistoryOverMidnight(t *testing.T) {
	disk := simfs.New()
	now := time.Date(2026, 3, 2, 23, 59, 59, 0, time.UTC)
	s, err := Open("/spool", Options{FS: disk.Open(nil), Now: func() time.Time { return now }})
	must(t, err)
	defer s.Close()
	must(t, putIt(s))
	must(t, onIt(func(c spool.Claim) error { return c.Remove(delivered(), spool.Soon) })(s))
	now = now.Add(time.Second)
	must(t, s.history.Add([]spool.HistoryEntry{{ID: theID, Recipient: "late@example.net"}}))
	must(t, s.Sync(t.Context()))
	after := disk.PowerCut(rand.New(rand.NewPCG(1, 1)))
	if got := after.Names(historyfile.Dir); strings.Join(got, " ") != "history/2026-03-02 history/2026-03-03" {
		t.Fatalf("files: %q", got)
	}
	for _, name := range after.Names(historyfile.Dir) {
		if !strings.Contains(string(after.Read(name)), string(theID)) {
			t.Errorf("%s is %q", name, after.Read(name))
		}
	}
}
