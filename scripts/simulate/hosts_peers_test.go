//go:build peers

package main

import (
	"slices"
	"testing"
	"time"

	"notices/spool/postgres/cluster"
)

// TestHostsShare: hosts with one queue in a real database send each message once, share the work,
// and ask a server that is away once a run; so do hosts in groups.
func TestHostsShare(t *testing.T) {
	db, err := cluster.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Stop()
	w := evening
	w.Messages = 400
	for _, away := range []time.Duration{0, w.Away} {
		w.Away, w.Queued = away, min(w.Queued, away)
		var alone *crew
		for _, team := range []team{{1, 1}, {2, 1}, {4, 1}, {4, 2}} {
			c, err := w.together(db, team) // which checks that each message was taken once
			if err != nil {
				t.Fatal(err)
			}
			if alone == nil {
				alone = c
			}
			if least := slices.Min(c.Sent); least < w.Messages/team.hosts/4 {
				t.Errorf("%+v, away for %v: the hosts sent %v", team, away, c.Sent)
			}
			if away == 0 {
				continue
			}
			// One connection a run and host finds that the server is away.
			_, inVain, busiest := c.sums()
			_, _, most := alone.sums()
			if runs := int((w.Away-w.Queued)/time.Minute+1) * team.hosts; inVain > runs || busiest > 2*most {
				t.Errorf("%+v: %d turned away in %d runs, %d in a minute; one host: %d", team, inVain, runs, busiest, most)
			}
			if late := c.Last - w.Away; late > 12*time.Minute {
				t.Errorf("%+v: done %v after the server's return", team, late)
			}
		}
	}
}
