package queue

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/spool"
)

// listed runs list and returns the ids, in order.
func (w *world) listed(o ListOptions) []string {
	w.T.Helper()
	o.JSON = true
	w.Out.Reset()
	w.Check(w.q.List(context.Background(), o))
	var got []struct{ ID string }
	w.Check(json.Unmarshal([]byte(w.Out.String()), &got))
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
		w.Queue(id, "a@example.net")
	}
	w.Try("A1", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}}) // in five minutes
	w.Check(w.Claim("A2").Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	w.Check(w.q.Hold(context.Background(), Selection{IDs: []string{"A3"}}))
	w.Now = w.Now.Add(time.Minute)
	w.Try("A4", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}}) // in six
	if got, want := w.listed(ListOptions{}), []string{"A5", "A6", "A1", "A4", "A3", "A2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestListFilters: each option for itself, and all that fit.
func TestListFilters(t *testing.T) {
	fakesite.InUTC(t)
	w := on(fakesite.BadDay(t))
	const failed, held, deferred, first, second = "1K0B53YFSP0T2V5Y", "1K0VZX6536080Q7N", "1K0WSE1DCR0RRWKC", "1K10QCAKHW049CXZ", "1K10QCAKHW09XHSW"
	for _, c := range []struct {
		name string
		o    ListOptions
		want []string
	}{
		{"all", ListOptions{}, []string{first, second, deferred, held, failed}},
		{"queued", ListOptions{States: []string{"queued"}}, []string{first, second}},
		{"deferred", ListOptions{States: []string{"deferred"}}, []string{deferred}},
		{"held or failed", ListOptions{States: []string{"failed", "held"}}, []string{held, failed}},
		{"an address in any case", ListOptions{To: "ANNA@example.com"}, []string{deferred}},
		{"a part of an address does not match", ListOptions{To: "nna@example.com"}, []string{}},
		{"a domain", ListOptions{To: "@Example.Net"}, []string{first, failed}},
		{"a domain in letters of its own", ListOptions{To: "@例え.example"}, []string{held}},
		{"a text", ListOptions{To: "amstel"}, []string{second, deferred}},
		{"due", ListOptions{Due: true}, []string{first, second}},
		{"older", ListOptions{Older: app.Duration(time.Hour)}, []string{deferred, held, failed}},
		{"a text in the error", ListOptions{Server: "over QUOTA"}, []string{deferred}},
		{"a server's trouble", ListOptions{Server: AnyServerError}, []string{}}, // the last word is the recipient's
		{"several", ListOptions{States: []string{"queued", "deferred"}, To: "amstel", Older: app.Duration(time.Hour)}, []string{deferred}},
		{"nothing fits", ListOptions{States: []string{"held"}, Due: true}, []string{}},
	} {
		if got := w.listed(c.o); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestListReadsWhatItMust: what the listing alone sorts out is not opened.
func TestListReadsWhatItMust(t *testing.T) {
	w := on(fakesite.BadDay(t))
	w.Store.Damage("1K0VZX6536080Q7N") // held
	for _, o := range []ListOptions{{Due: true}, {States: []string{"queued"}}, {States: []string{"failed"}}} {
		w.Said.Reset()
		w.listed(o)
		if w.Said.Len() > 0 {
			t.Errorf("%+v: %s", o, w.Said.String())
		}
	}
	if got := w.listed(ListOptions{}); len(got) != 4 || w.Said.Len() == 0 {
		t.Errorf("of five, one damaged, %d are listed; said: %q", len(got), w.Said.String())
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

// TestWhoIsNamed: the table names those who still wait, and counts no others.
func TestWhoIsNamed(t *testing.T) {
	to := func(states ...spool.RecipientState) (list []recipientJSON) {
		for i, s := range states {
			list = append(list, recipientJSON{Address: string(rune('a' + i)), State: s})
		}
		return list
	}
	const delivered, failed, pending = spool.RecipientDelivered, spool.RecipientFailed, spool.RecipientPending
	for _, c := range []struct {
		to   []recipientJSON
		want string
	}{
		{nil, "-"},
		{to(pending), "a"},
		{to(delivered, failed, pending), "c"},
		{to(pending, failed, pending, pending), "a +2"},
		{to(delivered, failed, failed), "b +1"},
		{to(delivered, delivered), "a +1"},
	} {
		if name, more := others(c.to); name+more != c.want {
			t.Errorf("%v: %s", c.to, name+more)
		}
	}
}
