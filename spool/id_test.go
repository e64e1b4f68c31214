package spool

import (
	"slices"
	"testing"
	"time"
)

func TestNewIDSortsByTimeAndDoesNotRepeat(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	seen := map[ID]bool{}
	var ids []ID
	for range 1000 {
		at = at.Add(time.Microsecond)
		id := NewID(at)
		if !id.Valid() || !id.Generated() || seen[id] {
			t.Fatalf("%q: valid %v, generated %v, repeated %v", id, id.Valid(), id.Generated(), seen[id])
		}
		seen[id] = true
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by time")
	}
	if NewID(at) == NewID(at) {
		t.Error("two ids of one microsecond are equal")
	}
}

func TestReturnIDs(t *testing.T) {
	id := NewID(time.Now())
	r := id.Return(12)
	if o, n, ok := r.Original(); !ok || o != id || n != 12 || !r.Valid() || !r.Generated() {
		t.Errorf("%q: %q %d %v", r, o, n, ok)
	}
	for _, not := range []ID{id, "a-", "-1", "a-0", "a-x", ""} {
		if o, n, ok := not.Original(); ok {
			t.Errorf("%q is taken for return %d of %q", not, n, o)
		}
	}
}

// TestHandedIn: a report is as old as the message that it is about.
func TestHandedIn(t *testing.T) {
	at := time.Date(2026, 11, 30, 9, 30, 0, 123456000, time.UTC)
	second, later := at.Truncate(time.Second), at.Add(time.Hour).Truncate(time.Second)
	id := NewID(at)
	for of, want := range map[ID]time.Time{
		id: later, id.Return(2): second, id + ".w": second, id + ".b0": second, id.Return(1) + ".p": second,
		"A1": later, "A1-1": later, NewID(later.Add(time.Hour)) + "-1": later,
	} {
		if got := of.HandedIn(later); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", of, got, want)
		}
	}
}

func TestValidID(t *testing.T) {
	for _, bad := range []ID{"", ".", "..", "../x", "a/b", "a b", "-a", "_a", "a\n", "a,b", "é", ID(make([]byte, MaxIDLength+1))} {
		if bad.Valid() {
			t.Errorf("%q is valid", bad)
		}
	}
}
