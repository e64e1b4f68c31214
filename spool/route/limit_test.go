package route

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/rate"
	"notices/spool/smtpclient"
)

func gmail(n int, per time.Duration) rate.Limit {
	return rate.Limit{Domains: []string{"gmail.com", "googlemail.com"}, Messages: n, Per: per}
}

// A message over the limit waits, those for other domains go on, and no other server
// is asked. The domains of a limit are counted together, in any case.
func TestLimit(t *testing.T) {
	one, two := &fake{}, &fake{}
	w := newWorld(t, one, two)
	w.limits = []rate.Limit{gmail(2, time.Hour)}
	r := w.run()
	for _, c := range []struct {
		to   string
		wait spool.Wait
	}{
		{"a@gmail.com", spool.Attempted}, {"b@example.net", spool.Attempted}, {"b@GoogleMail.Com", spool.Attempted},
		{"c@gmail.com", spool.Limited}, {"d@googlemail.com", spool.Limited}, {"e@mail.gmail.com", spool.Attempted}, {"f@example.net", spool.Attempted},
	} {
		d := w.deliver(r, c.to)
		if d.Wait != c.wait {
			t.Errorf("%s: %+v", c.to, d)
		}
		if d.Wait == spool.Limited && (d.Outcomes[0].Reply.Text != "[[limit]] of 2 in 1h for gmail.com, googlemail.com is used up" || !d.Until.After(w.clock.now())) {
			t.Errorf("%+v", d)
		}
	}
	w.end(r)
	if one.sends != 5 || two.dials != 0 {
		t.Errorf("%d transactions, server 2 dialled %d times", one.sends, two.dials)
	}
	// Another run, still within the hour; then after it.
	if d := w.once("g@gmail.com"); d.Wait != spool.Limited {
		t.Errorf("%+v", d)
	}
	w.clock.pass(time.Hour + 4*time.Second)
	if d := w.once("g@gmail.com"); d.Wait != spool.Attempted {
		t.Errorf("%+v", d)
	}
}

// Who of a message is not under the limit gets it now.
func TestLimitOfSomeRecipients(t *testing.T) {
	var k recorder
	w := newWorld(t, &fake{answer: k.answer})
	w.limits = []rate.Limit{gmail(1, time.Hour), {Domains: []string{"example.org"}, Messages: 5, Per: time.Minute}}
	w.once("x@gmail.com")
	d := w.once("a@example.net", "b@gmail.com", "c@example.org", "d@gmail.com")
	if classes(d) != "delivered deferred delivered deferred" || d.Wait != spool.Attempted ||
		d.Outcomes[1].Reason != spool.ReasonRate || d.Outcomes[3].Reason != spool.ReasonRate {
		t.Errorf("%+v", d)
	}
	if last := k.sets[len(k.sets)-1]; !slices.Equal(last, []string{"a@example.net", "c@example.org"}) {
		t.Errorf("sent to %v", last)
	}
}

// A transaction counts once, however many of its recipients are under the limit.
func TestLimitCountsTransactions(t *testing.T) {
	var k recorder
	w := newWorld(t, &fake{answer: k.answer})
	w.servers[0].RecipientsPerMessage = 2
	w.limits = []rate.Limit{gmail(3, time.Hour)}
	if d := w.once("a@gmail.com", "b@gmail.com"); classes(d) != "delivered delivered" {
		t.Errorf("%+v", d)
	}
	d := w.once("c@gmail.com", "d@gmail.com", "e@gmail.com", "f@gmail.com", "g@gmail.com", "h@example.net")
	if classes(d) != "delivered delivered delivered delivered deferred delivered" || len(k.sets) != 4 {
		t.Errorf("%+v, %v", d, k.sets)
	}
}

// An internationalised domain is the same in both its forms.
func TestLimitIDN(t *testing.T) {
	for _, named := range []string{"bücher.example", "BÜCHER.Example", "xn--bcher-kva.example"} {
		w := newWorld(t, &fake{})
		w.limits = []rate.Limit{{Domains: []string{named}, Messages: 2, Per: time.Hour}}
		r := w.run()
		for i, to := range []string{"a@bücher.example", "b@XN--BCHER-KVA.example", "c@Bücher.EXAMPLE", "d@xn--bcher-kva.example"} {
			if d := w.deliver(r, to); (d.Wait == spool.Limited) != (i >= 2) {
				t.Errorf("%s, %s: %+v", named, to, d)
			}
		}
		w.end(r)
	}
}

// What never came to a server's decision is not counted, and what one server passed
// on is counted once.
func TestLimitGivesBack(t *testing.T) {
	down := &fake{dial: fails(noConn)}
	w := newWorld(t, down)
	w.limits = []rate.Limit{gmail(1, time.Hour)}
	for range 3 {
		if d := w.once("a@gmail.com"); d.Wait == spool.Limited {
			t.Errorf("%+v", d)
		}
		w.clock.pass(11 * time.Minute)
	}
	for name, o := range map[string]spool.Outcome{"sender": badSender, "later": tryLater, "lost": lost, "limit": dayLimit} {
		w := newWorld(t, &fake{answer: says(o)}, &fake{})
		w.limits = []rate.Limit{gmail(1, time.Hour)}
		if d := w.once("a@gmail.com"); classes(d) != "delivered" {
			t.Errorf("%s: %+v", name, d)
		}
		if d := w.once("a@gmail.com"); d.Wait != spool.Limited {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// Mail under no limit costs nothing; a limit that is used up costs one look at the state.
func TestLimitIsCheap(t *testing.T) {
	w := newWorld(t, &fake{})
	w.limits = []rate.Limit{gmail(3, time.Hour)}
	r := w.run()
	for i := range 50 {
		w.deliver(r, fmt.Sprintf("p%d@example.net", i))
	}
	if w.state.updates > 1 { // health
		t.Errorf("%d updates for mail under no limit", w.state.updates)
	}
	for i := range 50 {
		w.deliver(r, fmt.Sprintf("p%d@gmail.com", i))
	}
	w.end(r)
	if w.state.updates > 8 {
		t.Errorf("%d updates", w.state.updates)
	}
	use, err := rate.Usages(context.Background(), w.state, w.limits, w.clock.now())
	if err != nil || len(use) != 1 || use[0].Used != 3 || use[0].Waiting != 47 || use[0].Free.IsZero() || !use[0].At.Equal(w.clock.now()) {
		t.Errorf("%+v, %v", use, err)
	}
}

// byDomain records when transactions with a recipient in a domain happen.
type byDomain struct {
	mu sync.Mutex
	at map[string]*stamps
}

func (b *byDomain) answer(ctx context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, to := range t.Recipients {
		_, domain, _ := strings.Cut(to, "@")
		if !seen[domain] {
			seen[domain] = true
			if b.at[domain] == nil {
				b.at[domain] = &stamps{}
			}
			b.at[domain].answer(ctx, l, t)
		}
	}
	return all(t, delivered)
}

// In no window of the limit's length are there more transactions, whatever the
// flushes do: how many there are at once, how slow connections are, how messages are
// addressed. And the limit is not wasted.
func TestLimitHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		messages := rapid.IntRange(1, 8).Draw(rt, "messages")
		per := time.Duration(rapid.Int64Range(int64(time.Second), int64(3*time.Hour)).Draw(rt, "per"))
		slow := time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(rt, "slow"))
		chunk := rapid.IntRange(0, 3).Draw(rt, "recipients_per_message")
		runs := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(rt, "flushes at once")
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(2*per)), len(runs), len(runs)).Draw(rt, "pauses")
		to := rapid.SliceOfN(rapid.SampledFrom([]string{"a@x.example", "b@x.example", "c@y.example", "d@z.example"}), 1, 5).Draw(rt, "to")
		synctest.Test(t, func(t *testing.T) {
			b := byDomain{at: map[string]*stamps{}}
			w := timed(t, &fake{answer: b.answer, dial: func(context.Context, int) error { time.Sleep(slow); return nil }})
			w.servers[0].RecipientsPerMessage = chunk
			w.limits = []rate.Limit{{Domains: []string{"x.example"}, Messages: messages, Per: per}}
			sent := 0
			for i, n := range runs {
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						r := w.timedRun()
						for range 3 {
							w.deliver(r, to...)
						}
						w.end2(r)
					})
					sent += 3
				}
				wg.Wait()
				time.Sleep(time.Duration(pauses[i]))
			}
			x := b.at["x.example"]
			if x != nil && x.most(per) > messages {
				t.Errorf("%d in %v, limit %d", x.most(per), per, messages)
			}
			if wants := slices.ContainsFunc(to, func(a string) bool { return strings.HasSuffix(a, "@x.example") }); wants && sent > 0 {
				if x == nil || len(x.at) < min(messages, sent) {
					t.Errorf("fewer than the limit allows: %+v", x)
				}
			}
		})
	})
}
