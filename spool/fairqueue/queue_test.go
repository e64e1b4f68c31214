package fairqueue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// all takes what is there.
func all(t *testing.T, q *Queue[string]) (taken []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for len(q.turn) > 0 {
		item, ok := q.Take(ctx)
		if !ok {
			t.Fatal("nothing can be taken")
		}
		taken = append(taken, item)
	}
	return taken
}

func TestInTurn(t *testing.T) {
	q := New[string]()
	for i := range 5 {
		q.Add("big", fmt.Sprint("b", i))
	}
	q.Add("small", "s0")
	q.Add("other", "o0")
	q.Add("small", "s1")
	if items, owners := q.Len(); items != 8 || owners != 3 {
		t.Errorf("%d items of %d owners wait", items, owners)
	}
	if got := strings.Join(all(t, q), " "); got != "b0 s0 o0 b1 s1 b2 b3 b4" {
		t.Error(got)
	}
	q.Add("small", "s2")
	if got := strings.Join(all(t, q), " "); got != "s2" || len(q.owners) != 0 {
		t.Errorf("%s, %d owners left", got, len(q.owners))
	}
}

// TestFair: whatever comes in when, items of an owner keep their order, none is lost, and while an
// owner waits no other one is served twice.
func TestFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, ctx := New[string](), context.Background()
		waiting := map[string][]string{}
		served := map[string]int{} // how often others were, since an owner's turn
		n := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") || n == 0 {
				owner := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "owner")
				item := fmt.Sprint(owner, rapid.Int().Draw(t, "item"))
				if len(waiting[owner]) == 0 {
					served[owner] = 0
				}
				waiting[owner] = append(waiting[owner], item)
				q.Add(owner, item)
				n++
				continue
			}
			item, ok := q.Take(ctx)
			if !ok || !slices.Contains([]string{"a", "b", "c", "d"}, item[:1]) {
				t.Fatalf("%q, %v", item, ok)
			}
			n--
			owner := item[:1]
			if waiting[owner][0] != item {
				t.Fatalf("%q came out of %v", item, waiting)
			}
			waiting[owner], served[owner] = waiting[owner][1:], 0
			for other, items := range waiting {
				if other != owner && len(items) > 0 {
					if served[other]++; served[other] > 3 {
						t.Fatalf("%s waits while others were served %d times", other, served[other])
					}
				}
			}
		}
	})
}

func TestTakeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int]()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var got []int
		for range 3 {
			go func() {
				for {
					i, ok := q.Take(ctx)
					if !ok {
						return
					}
					mu.Lock()
					got = append(got, i)
					mu.Unlock()
				}
			}()
		}
		synctest.Wait() // all three wait
		for i := range 100 {
			q.Add("a", i)
		}
		synctest.Wait()
		slices.Sort(got)
		if len(got) != 100 || got[99] != 99 {
			t.Errorf("%d items came out", len(got))
		}
		cancel()
		synctest.Wait()
		// What comes when nobody takes any more is there for who takes next.
		q.Add("a", 7)
		if _, ok := q.Take(ctx); ok {
			t.Error("taken after the end")
		}
		if i, ok := q.Take(t.Context()); !ok || i != 7 {
			t.Errorf("%d, %v", i, ok)
		}
	})
}
