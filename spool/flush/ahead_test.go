package flush

import (
	"context"
	"fmt"
	"testing"

	"notices/spool"
)

// announcer is a store that can claim many messages at once.
type announcer struct {
	spool.Store
	told  []spool.ID
	ended int
}

func (a *announcer) ClaimAhead(_ context.Context, entries ...spool.Entry) {
	for _, e := range entries {
		a.told = append(a.told, e.ID)
	}
	if len(entries) == 0 {
		a.ended++
	}
}

// TestInOrder: a store is told of each message once, before it is that message's turn, and of at most twice
// as many ahead as there are workers; at the end it is told to let go.
func TestInOrder(t *testing.T) {
	for _, workers := range []int{1, 4, 20} {
		a := &announcer{}
		e := newEngine(t.Context(), Options{Store: a, Deliverer: &servers{workers: workers}})
		var list entryList
		for i := range 107 {
			list.add(spool.Entry{ID: spool.ID(fmt.Sprint(i))})
		}
		next := inOrder(e, &list)
		for i := next(); i < list.n; i = next() {
			if n := len(a.told); n <= i || n > i+2*workers || a.told[i] != list.at(i).ID {
				t.Fatalf("%d workers: at message %d it was told of %d", workers, i, n)
			}
		}
		if len(a.told) != list.n {
			t.Errorf("%d workers: told of %d messages", workers, len(a.told))
		}
		e.round(t.Context(), &list, func(context.Context, spool.Entry) {})
		if len(a.told) != 2*list.n || a.ended != 1 {
			t.Errorf("%d workers: a round told of %d messages, and ended %d times", workers, len(a.told)-list.n, a.ended)
		}
		e.exhausted.Store(&exhausted{})
		if next = inOrder(e, &list); next() != 0 || len(a.told) != 2*list.n {
			t.Errorf("%d workers: messages are claimed although the quota is used up", workers)
		}
	}
}
