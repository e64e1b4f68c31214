package route

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"notices/spool"
	"notices/spool/smtpclient"
)

func addresses(n int) []string {
	var to []string
	for i := range n {
		to = append(to, fmt.Sprintf("patron%d@example.com", i))
	}
	return to
}

// recorder keeps who was in which transaction and takes up to max of them.
type recorder struct {
	max  int
	sets [][]string
}

func (k *recorder) answer(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
	r := all(t, delivered)
	took := len(r.Outcomes)
	if k.max > 0 && took > k.max {
		took = k.max
		for i := took; i < len(r.Outcomes); i++ {
			r.Outcomes[i] = tooMany
			r.TooMany++
		}
	}
	k.sets = append(k.sets, t.Recipients[:took])
	return r
}

func TestRecipientsPerMessage(t *testing.T) {
	var k recorder
	w := newWorld(t, &fake{answer: k.answer})
	w.servers[0].RecipientsPerMessage = 100
	to := addresses(1000)
	d := w.once(to...)
	if len(k.sets) != 10 || !slices.Equal(slices.Concat(k.sets...), to) || len(d.Outcomes) != 1000 {
		t.Errorf("%d transactions", len(k.sets))
	}
}

// 452 4.5.3: the rest follows at once, and what the server takes is learnt.
func TestTooMany(t *testing.T) {
	k := recorder{max: 30}
	f := &fake{answer: k.answer}
	w := newWorld(t, f)
	to := addresses(100)
	d := w.once(to...)
	if len(k.sets) != 4 || f.dials != 1 || !slices.Equal(slices.Concat(k.sets...), to) {
		t.Errorf("%d transactions over %d connections", len(k.sets), f.dials)
	}
	for i, o := range d.Outcomes {
		if o != delivered {
			t.Errorf("recipient %d: %+v", i, o)
		}
	}
}

// One who refuses all but never says for good must not be asked for ever.
func TestTooManyEndless(t *testing.T) {
	n := 0
	f := &fake{answer: func(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		n++
		r := all(t, tooMany)
		if n == 1 {
			r.Outcomes[0] = noSuchUser
		}
		return r
	}}
	w := newWorld(t, f)
	d := w.once(addresses(5)...)
	if n != 2 || classes(d) != "failed deferred deferred deferred deferred" {
		t.Errorf("%d transactions, %s", n, classes(d))
	}
}

// Server 1 dies in the middle of a message of several transactions: server 2 gets
// only those that server 1 did not decide on.
func TestFailoverInMidMessage(t *testing.T) {
	var k recorder
	n := 0
	one := &fake{answer: func(_ context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		if n++; n == 2 {
			l.breaks()
			return all(t, uncertain)
		}
		if n == 3 {
			l.breaks()
			return all(t, lost)
		}
		r := all(t, delivered)
		r.Outcomes[1] = mailboxFull
		return r
	}}
	w := newWorld(t, one, &fake{answer: k.answer})
	w.servers[0].RecipientsPerMessage = 2
	to := addresses(7)
	d := w.once(to...)
	if want := "delivered deferred uncertain uncertain delivered delivered delivered"; classes(d) != want {
		t.Errorf("got %s, want %s", classes(d), want)
	}
	if len(k.sets) != 1 || !slices.Equal(k.sets[0], to[4:]) || len(d.Skipped) != 1 || d.Skipped[0] != lost {
		t.Errorf("server 2 got %v, passed %v", k.sets, d.Skipped)
	}
}

// Nobody goes without an outcome, even if an answer is missing.
func TestShortResult(t *testing.T) {
	f := &fake{answer: func(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		return smtpclient.Result{Outcomes: []spool.Outcome{delivered}}
	}}
	w := newWorld(t, f)
	if d := w.once(addresses(3)...); classes(d) != "delivered deferred deferred" {
		t.Errorf("%s", classes(d))
	}
}
