package alert

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func down(kind string) Alert {
	return Alert{Key: "server 1", Kind: kind, Text: "server 1 is " + kind, Cause: kind, OverText: "server 1 takes mail again"}
}

func over(string, *Entry) Status { return Resolved }

func lasts(string, *Entry) Status { return Active }

// TestOnce: a problem that lasts for days is told when it begins and when it is over.
func TestOnce(t *testing.T) {
	state, now := maildirtest.State(), start
	said, writes := 0, 0
	counted := counter{state, &writes}
	for range 3 * 24 * 60 {
		begun, ended := Update(context.Background(), now, []Alert{down("down")}, lasts, counted)
		said += len(begun) + len(ended)
		now = now.Add(time.Minute)
	}
	if said != 1 {
		t.Errorf("told %d times", said)
	}
	if writes > 3*24*6+1 {
		t.Errorf("written %d times", writes)
	}
	begun, ended := Update(context.Background(), now, nil, over, counted)
	if len(begun) != 0 || len(ended) != 1 || !ended[0].Since.Equal(start) || ended[0].OverText != "server 1 takes mail again" {
		t.Errorf("at the end: %v %v", begun, ended)
	}
	writes = 0
	for range 24 * 60 {
		Update(context.Background(), now, nil, over, counted)
		now = now.Add(time.Minute)
	}
	if writes > 1 { // an old entry is dropped
		t.Errorf("written %d times while all was well", writes)
	}
}

// TestAnotherKind: another kind of problem is told at once, but each kind no more often
// than it would be alone.
func TestAnotherKind(t *testing.T) {
	state, now := maildirtest.State(), start
	said := map[string]int{}
	for i := range 24 * 60 {
		kind := []string{"down", "refused"}[i%2]
		begun, _ := Update(context.Background(), now, []Alert{down(kind)}, lasts, state)
		for _, a := range begun {
			said[a.Kind]++
		}
		if i == 1 && said["refused"] != 1 {
			t.Error("another kind was not told at once")
		}
		now = now.Add(time.Minute)
	}
	if said["down"] > 5 || said["refused"] > 5 {
		t.Errorf("told in a day: %v", said)
	}
}

// TestFlapping: a problem that comes and goes each minute is told five times on the first day
// and then once a day. Its end is told no more often than its beginning.
func TestFlapping(t *testing.T) {
	state, now := maildirtest.State(), start
	perDay := make([]int, 5)
	for i := range 5 * 24 * 60 {
		var met []Alert
		if i%2 == 0 {
			met = append(met, down("down"))
		}
		begun, ended := Update(context.Background(), now, met, over, state)
		perDay[i/(24*60)] += len(begun) + len(ended)
		now = now.Add(time.Minute)
	}
	for day, n := range perDay {
		if n > 10 || day > 1 && n > 2 {
			t.Errorf("told in 5 days: %v", perDay)
			break
		}
	}
}

// TestWhateverHappens: over ten days of random runs, the number of alerts is bounded, no
// end is told without its beginning, and no end is told twice.
func TestWhateverHappens(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 1))
		state, now := maildirtest.State(), start
		open, total := map[string]bool{}, 0
		for range 10 * 24 * 60 / 5 {
			var met []Alert
			for k := range 3 {
				if random.IntN(3) == 0 {
					met = append(met, Alert{Key: fmt.Sprint("k", k), Kind: fmt.Sprint(random.IntN(2)), Text: "x", OverText: "y"})
				}
			}
			begun, ended := Update(context.Background(), now, met, func(string, *Entry) Status { return Status(random.IntN(2)) }, state)
			for _, e := range ended {
				if !open[e.Key] {
					t.Fatalf("seed %d: the end of %s is told, its beginning was not", seed, e.Key)
				}
				open[e.Key] = false
			}
			for _, a := range begun {
				open[a.Key] = true
			}
			total += len(begun) + len(ended)
			now = now.Add(5*time.Minute + time.Duration(random.Int64N(int64(time.Minute)))) // and a clock that drifts
		}
		if most := 3 * 2 * 2 * (10 + 6); total > most {
			t.Errorf("seed %d: told %d times, want at most %d", seed, total, most)
		}
	}
}

// TestClockThatJumps: everything is told even if the clock is set back.
func TestClockThatJumps(t *testing.T) {
	state := maildirtest.State()
	Update(context.Background(), start, []Alert{down("down")}, lasts, state)
	Update(context.Background(), start.Add(time.Minute), nil, over, state)
	if begun, _ := Update(context.Background(), start.AddDate(-1, 0, 0), []Alert{down("down")}, lasts, state); len(begun) != 1 {
		t.Error("not told after the clock was set back")
	}
}

// TestTogether: of many simultaneous runs, only one tells.
func TestTogether(t *testing.T) {
	state := maildirtest.State()
	var wg sync.WaitGroup
	var mu sync.Mutex
	said := 0
	for range 20 {
		wg.Go(func() {
			begun, _ := Update(context.Background(), start, []Alert{down("down")}, lasts, state)
			mu.Lock()
			said += len(begun)
			mu.Unlock()
		})
	}
	wg.Wait()
	if said != 1 {
		t.Errorf("%d told", said)
	}
}

// TestSpareState: entries that the first state cannot keep are kept in the second. They
// move to the first when it works again.
func TestSpareState(t *testing.T) {
	first, spare := &broken{State: maildirtest.State(), is: true}, FileState{filepath.Join(t.TempDir(), "alerts")}
	ctx, now, said := context.Background(), start, 0
	for range 60 {
		begun, _ := Update(ctx, now, []Alert{down("down")}, lasts, first, spare)
		said += len(begun)
		now = now.Add(time.Minute)
	}
	if said != 1 {
		t.Errorf("told %d times", said)
	}
	first.is = false
	if _, ended := Update(ctx, now, nil, over, first, spare); len(ended) != 1 {
		t.Error("the end is not told")
	}
	if left, err := spare.Load(ctx, StateName); err != nil || len(left) > 0 {
		t.Errorf("left in the spare: %q, %v", left, err)
	}
	if begun, _ := Update(ctx, now, []Alert{down("down")}, lasts, first, spare); len(begun) != 1 {
		t.Error("an hour after it was told, it is not told again")
	}
	first.is = true
	for range 3 { // nowhere to keep it: better in each run than never
		if begun, _ := Update(ctx, now, []Alert{down("refused")}, lasts, first); len(begun) != 1 {
			t.Error("not told if nothing can be kept")
		}
	}
}

// TestFileStateIsOurs: in a folder that all users can write to, only a regular file that
// belongs to this user alone is used.
func TestFileStateIsOurs(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	at := filepath.Join(dir, "alerts")
	keep := func([]byte) ([]byte, error) { return []byte("{}"), nil }
	other := filepath.Join(dir, "other")
	for name, make := range map[string]func() error{
		"a link":               func() error { return os.Symlink(other, at) },
		"a second name":        func() error { return errors.Join(os.WriteFile(other, nil, 0o600), os.Link(other, at)) },
		"a folder":             func() error { return os.Mkdir(at, 0o700) },
		"a file that all read": func() error { return errors.Join(os.WriteFile(at, nil, 0o600), os.Chmod(at, 0o644)) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if err := (FileState{at}).Update(ctx, StateName, false, keep); err == nil {
			t.Errorf("%s was used", name)
		}
		if got, _ := os.ReadFile(other); len(got) > 0 {
			t.Errorf("%s: the file behind it was written", name)
		}
		os.RemoveAll(at)
		os.Remove(other)
	}
	if err := (FileState{at}).Update(ctx, StateName, false, keep); err != nil {
		t.Error(err)
	}
}

// TestDamaged: a damaged value only makes something be told twice.
func TestDamaged(t *testing.T) {
	for _, value := range []string{"", "null", "[]", "{", `{"server 1":null}`, `{"server 1":7}`} {
		state := maildirtest.State()
		err := state.Update(context.Background(), StateName, false, func([]byte) ([]byte, error) { return []byte(value), nil })
		if err != nil {
			t.Fatal(err)
		}
		if begun, _ := Update(context.Background(), start, []Alert{down("down")}, lasts, state); len(begun) != 1 {
			t.Errorf("%q: not told", value)
		}
	}
}

// counter counts what is written.
type counter struct {
	spool.State
	n *int
}

func (c counter) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	*c.n++
	return c.State.Update(ctx, name, durable, change)
}

// broken is a state that cannot be written while it is set.
type broken struct {
	spool.State
	is bool
}

func (b *broken) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	if b.is {
		return errors.New("read-only file system")
	}
	return b.State.Update(ctx, name, durable, change)
}
