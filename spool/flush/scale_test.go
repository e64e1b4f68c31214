package flush

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"notices/spool"
	"notices/spool/faulty"
)

// TestManyIDsShareTheirListings, also the ids that do not exist.
func TestManyIDsShareTheirListings(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		id := spool.ID(fmt.Sprintf("m%d", i))
		w.put(id, nil)
		w.o.IDs = append(w.o.IDs, id, spool.ID(fmt.Sprintf("gone%d", i)))
	}
	counted := faulty.New(w.mem, faulty.Plan{})
	w.o.Store = counted
	tally, err := Run(t.Context(), w.o)
	var unknown *UnknownError
	if !errors.As(err, &unknown) || len(unknown.IDs) != 50 || tally.Sent != 50 {
		t.Fatalf("%+v, %v", tally, err)
	}
	calls := map[string]int{}
	for _, c := range counted.Calls() {
		calls[c.Method]++
	}
	if calls["Scan"] > 3 || calls["Find"] > 1 {
		t.Errorf("%d listings and %d searches for %d ids", calls["Scan"], calls["Find"], len(w.o.IDs))
	}
}

// TestMaxTakesAny: if more than Max are due, each has the same chance, also the last listed.
func TestMaxTakesAny(t *testing.T) {
	const n, keep, runs = 20, 5, 2000
	dice := rand.New(rand.NewPCG(1, 2))
	e := &engine{Options: Options{Max: keep, Random: dice.Int64N}}
	times := map[spool.ID]int{}
	for range runs {
		f := &found{engine: e}
		for i := range n {
			f.addDue(spool.Entry{ID: spool.ID(fmt.Sprintf("m%d", i))}, i+1)
		}
		f.arrange()
		if f.messages.n != keep {
			t.Fatalf("%d were kept", f.messages.n)
		}
		for i := range keep {
			times[f.messages.at(i).ID]++
		}
	}
	for id, k := range times {
		if want := runs * keep / n; k < want*8/10 || k > want*12/10 {
			t.Errorf("%s was taken %d times of about %d", id, k, want)
		}
	}
	if len(times) != n {
		t.Errorf("%d of %d were ever taken", len(times), n)
	}
}

func TestEntryList(t *testing.T) {
	const n = 3*chunkSize + 7
	p := &entryList{}
	for i := range n {
		p.add(spool.Entry{ID: spool.ID(fmt.Sprintf("%06d", i))})
	}
	p.shuffle(rand.New(rand.NewPCG(1, 2)).Int64N)
	taken := p.remove(func(e *spool.Entry) bool { return e.ID < "005000" })
	if taken.n != 5000 || p.n != n-5000 {
		t.Fatalf("%d are taken, %d are left", taken.n, p.n)
	}
	all := make([]string, 0, n)
	for i := range taken.n {
		all = append(all, string(taken.at(i).ID))
	}
	for i := range p.n {
		all = append(all, string(p.at(i).ID))
	}
	if slices.IsSorted(all) {
		t.Error("it is not shuffled")
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != n || all[0] != "000000" || all[n-1] != fmt.Sprintf("%06d", n-1) {
		t.Error("entries are lost or duplicated")
	}
}

// BenchmarkAllDue: an operation is finding 1,000,000 due messages.
func BenchmarkAllDue(b *testing.B) {
	b.ReportAllocs()
	e := newEngine(b.Context(), Options{Store: newFastStore(1_000_000, start), Policy: policy})
	for b.Loop() {
		if f, err := e.find(b.Context()); err != nil || f.messages.n != 1_000_000 {
			b.Fatal(err)
		}
	}
}
