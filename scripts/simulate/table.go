package main

import (
	"fmt"
	"strings"
	"time"

	"notices/scripts/plot"
)

// sums are the figures of a result for a table or a picture.
func (r *result) sums() (taken, turnedAway, busiest int) {
	for _, m := range r.Minutes {
		taken += m.Taken
		turnedAway += m.TurnedAway
		busiest = max(busiest, m.sends())
	}
	return taken, turnedAway, busiest
}

// table has a line for each policy, once for each server.
func (b *both) table() string {
	w := b.Small.World
	return fmt.Sprintf("a server that takes whatever comes:\n%s\na server of %s messages a minute and %d connections at once:\n%s",
		b.Any.table(), plot.Thousands(int(time.Minute/max(w.Each, 1))), w.Sessions, b.Small.table())
}

// table has a line for each policy: how much reached the server, and how long after its
// return it had everything.
func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s%10s%10s%10s%7s\n", "", "sends", "a minute", "a second", "done")
	for i := range r.Policies {
		p := &r.Policies[i]
		taken, away, busiest := p.sums()
		fmt.Fprintf(&b, "%-30s%10s%10s%10s%7s\n", p.Name,
			plot.Thousands(taken+away), plot.Thousands(busiest), plot.Thousands(p.Second), clockTime(p.Last-r.World.Away))
	}
	return b.String()
}

// clockTime writes hours and minutes, rounded up.
func clockTime(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", minutes(d)/60, minutes(d)%60)
}
