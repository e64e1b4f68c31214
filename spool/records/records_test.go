package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"notices/spool"
)

// fake is a store of some messages, of which Peek lacks some.
type fake struct {
	ids    []spool.ID
	gone   spool.ID
	broken spool.ID
	lacks  spool.ID // in the next listing
}

func (f *fake) Scan(_ context.Context, yield func(spool.Entry) bool) error {
	lacks := f.lacks
	f.lacks = ""
	for _, id := range f.ids {
		if id != lacks && !yield(spool.Entry{ID: id, State: spool.StateQueued}) {
			break
		}
	}
	return nil
}

func (f *fake) ScanFailed(context.Context, func(spool.Entry) bool) error { return nil }

func (f *fake) Peek(_ context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	switch e.ID {
	case f.gone:
		return nil, nil, spool.ErrGone
	case f.broken:
		return nil, nil, spool.ErrUnusable
	}
	return spool.NewRecord(spool.Envelope{ID: e.ID}), noBody{}, nil
}

type noBody struct{ spool.PeekedBody }

func (noBody) Stored() int64 { return 7 }
func (noBody) Close() error  { return nil }

func entries(n int) (f *fake, list []spool.Entry) {
	f = &fake{}
	for i := range n {
		f.ids = append(f.ids, spool.ID(fmt.Sprintf("A%04d", i)))
		list = append(list, spool.Entry{ID: f.ids[i]})
	}
	return f, list
}

// TestRead: records come in the order of their entries, each once; what left is skipped.
func TestRead(t *testing.T) {
	f, list := entries(3*Ahead + 5)
	f.gone, f.broken = "A0300", "A0301"
	var got []spool.ID
	broken := 0
	if err := Read(context.Background(), f, list, func(m Message) {
		if m.Err != nil {
			broken++
			return
		}
		got = append(got, m.Envelope.ID)
	}); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(slices.Clone(f.ids), func(id spool.ID) bool { return id == f.gone || id == f.broken })
	if !slices.Equal(got, want) || broken != 1 {
		t.Errorf("%d records and %d errors", len(got), broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Read(ctx, f, list, func(Message) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestListAll: it has a message that one listing lacks, and none twice.
func TestListAll(t *testing.T) {
	f, _ := entries(5)
	f.lacks = "A0002"
	found, err := ListAll(context.Background(), f, func(e spool.Entry) bool { return e.ID != "A0004" })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range found {
		got = append(got, string(e.ID))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"A0000", "A0001", "A0002", "A0003"}) {
		t.Error(got)
	}
}
