package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
)

// listed runs list and returns the ids, in order.
func (w *world) listed(o listOptions) []string {
	w.t.Helper()
	o.JSON = true
	w.out.Reset()
	w.check(w.a.list(context.Background(), w.q, o))
	var got []struct{ ID string }
	w.check(json.Unmarshal([]byte(w.out.String()), &got))
	ids := []string{}
	for _, m := range got {
		ids = append(ids, m.ID)
	}
	return ids
}

// TestListOrder: as the mail goes out, then what does not go out; ties by age.
func TestListOrder(t *testing.T) {
	w := newWorld(t)
	for _, id := range []spool.ID{"A6", "A1", "A2", "A5", "A4", "A3"} {
		w.queued(id, "a@example.net")
	}
	w.tried("A1", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}}) // in five minutes
	w.check(w.claimed("A2").Fail(spool.Event{Kind: spool.GiveUp, At: w.now}))
	w.check(w.a.hold(context.Background(), w.q, selection{IDs: []string{"A3"}}))
	w.now = w.now.Add(time.Minute)
	w.tried("A4", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}}) // in six
	if got, want := w.listed(listOptions{}), []string{"A5", "A6", "A1", "A4", "A3", "A2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestListFilters: each option for itself, and all that fit.
func TestListFilters(t *testing.T) {
	inUTC(t)
	w := busy(t)
	const failed, held, deferred, first, second = "1K0B53YFSP0T2V5Y", "1K0VZX6536080Q7N", "1K0WSE1DCR0RRWKC", "1K10QCAKHW049CXZ", "1K10QCAKHW09XHSW"
	for _, c := range []struct {
		name string
		o    listOptions
		want []string
	}{
		{"all", listOptions{}, []string{first, second, deferred, held, failed}},
		{"queued", listOptions{States: []string{"queued"}}, []string{first, second}},
		{"deferred", listOptions{States: []string{"deferred"}}, []string{deferred}},
		{"held or failed", listOptions{States: []string{"failed", "held"}}, []string{held, failed}},
		{"an address in any case", listOptions{To: "ANNA@example.com"}, []string{deferred}},
		{"a part of an address is none", listOptions{To: "nna@example.com"}, []string{}},
		{"a domain", listOptions{To: "@Example.Net"}, []string{first, failed}},
		{"a domain in letters of its own", listOptions{To: "@例え.example"}, []string{held}},
		{"a text", listOptions{To: "amstel"}, []string{second, deferred}},
		{"due", listOptions{Due: true}, []string{first, second}},
		{"older", listOptions{Older: app.Duration(time.Hour)}, []string{deferred, held, failed}},
		{"a text in the error", listOptions{Server: "over QUOTA"}, []string{deferred}},
		{"a server's trouble", listOptions{Server: anyTrouble}, []string{}}, // the last word is the recipient's
		{"several", listOptions{States: []string{"queued", "deferred"}, To: "amstel", Older: app.Duration(time.Hour)}, []string{deferred}},
		{"nothing fits", listOptions{States: []string{"held"}, Due: true}, []string{}},
	} {
		if got := w.listed(c.o); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestListReadsWhatItMust: what the listing alone sorts out is not opened.
func TestListReadsWhatItMust(t *testing.T) {
	w := busy(t)
	w.store.Damage("1K0VZX6536080Q7N") // held
	for _, o := range []listOptions{{Due: true}, {States: []string{"queued"}}, {States: []string{"failed"}}} {
		w.said.Reset()
		w.listed(o)
		if w.said.Len() > 0 {
			t.Errorf("%+v: %s", o, w.said.String())
		}
	}
	if got := w.listed(listOptions{}); len(got) != 4 || w.said.Len() == 0 {
		t.Errorf("of five, one damaged, %d are listed; said: %q", len(got), w.said.String())
	}
}

// TestBrief: a column has six places for a length of time.
func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Minute: "59m", 9*time.Hour + 59*time.Minute: "9h 59m", 10 * time.Hour: "10h", 23*time.Hour + 59*time.Minute: "23h",
		24 * time.Hour: "1d 0h", 239 * time.Hour: "9d 23h", 240 * time.Hour: "10d", 9999 * time.Hour: "416d",
	} {
		if got := brief(d); got != want || len(got) > 6 {
			t.Errorf("brief(%s) = %q, want %q", d, got, want)
		}
	}
}
