package rate

import (
	"slices"
	"testing"
	"time"

	"notices/spool/maildirtest"
)

// A domain in two limits is found in whatever form it is written.
func TestDuplicate(t *testing.T) {
	one := Limit{Domains: []string{"example.net", "bücher.example"}}
	for other, found := range map[string]bool{
		"xn--bcher-kva.example": true, "XN--BCHER-KVA.Example": true, "BÜCHER.example": true, "bücher.example": true,
		"bu\u0308cher.example": true, "bucher.example": false, "example.com": false,
	} {
		list := []Limit{one, {Domains: []string{"example.org"}}, {Domains: []string{"example.edu", other}}}
		domain, first, second, ok := Duplicate(list)
		if ok != found || ok && (domain != other || first != 0 || second != 2) {
			t.Errorf("%s: %s in %d and %d, %v", other, domain, first, second, ok)
		}
	}
	if _, _, _, ok := Duplicate([]Limit{{Domains: []string{"bücher.example", "xn--bcher-kva.example"}}}); ok {
		t.Error("both forms in one limit are one domain")
	}
}

// TestReservations: a message counts once under each of its limits; what is used up puts off the
// recipients under it alone, and what was not used is given back.
func TestReservations(t *testing.T) {
	ctx, state := t.Context(), maildirtest.State()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	list := []Limit{
		{Domains: []string{"gmail.com", "googlemail.com"}, Messages: 1, Per: time.Hour},
		{Domains: []string{"example.org"}, Messages: 2, Per: time.Hour},
	}
	limits := NewLimits(list, state, func() time.Time { return now })
	if r := NewLimits(nil, state, nil).For([]string{"a@gmail.com"}); r != nil {
		t.Errorf("no limits: %+v", r)
	}
	to := []string{"a@gmail.com", "b@example.net", "c@GoogleMail.com", "d@example.org"}
	var off []int
	reserve := func(r *Reservations, open ...int) []int {
		off = nil
		if err := r.Reserve(ctx, open, false, func(_ *Exhausted, recipients []int) { off = append(off, recipients...) }); err != nil {
			t.Fatal(err)
		}
		return off
	}
	first := limits.For(to)
	if off := reserve(first, 0, 1, 2, 3); off != nil {
		t.Errorf("put off: %v", off)
	}
	first.Use(3) // the others were not sent
	first.PutBack()
	second := limits.For(to)
	if off := reserve(second, 0, 1, 2, 3); off != nil {
		t.Errorf("what was given back is counted: %v", off)
	}
	second.Use(0)
	second.Use(3)
	if off := reserve(limits.For(to), 0, 1, 2, 3); !slices.Equal(off, []int{0, 2, 3}) {
		t.Errorf("used up: %v", off)
	}
	if err := limits.Close(ctx, false); err != nil {
		t.Fatal(err)
	}
	used, err := Usages(ctx, state, list, now)
	if err != nil || used[0].Used != 1 || used[1].Used != 2 || used[0].Waiting != 1 {
		t.Errorf("%+v, %v", used, err)
	}
	now = now.Add(time.Hour + 2*graceTime)
	if off := reserve(limits.For(to), 0, 3); off != nil {
		t.Errorf("an hour later: %v", off)
	}
}
