package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"notices/spool"
)

// world is what is simulated. Times are from when the server goes away.
type world struct {
	Machines, Messages int           // messages on each machine
	Away               time.Duration // until then the server is
	Queued             time.Duration // when the messages are
	Each               time.Duration // the server's time for a message; 0: none
	Sessions           int           // connections that it has at once; 0: as many as come
	Trip               time.Duration // a round trip to it
	Seed               uint64
}

// night is what the manual tells of.
var night = world{
	Machines: 200, Messages: 500, Away: 2 * time.Hour, Queued: 8 * time.Minute,
	Trip: 10 * time.Millisecond, Seed: 1,
}

// small is the same with a small server.
func (w world) small() world {
	w.Each, w.Sessions = 10*time.Millisecond, 100
	return w
}

// both are the results of both servers.
type both struct{ Any, Small results }

func (w world) both() (both, error) {
	var b both
	var errs [2]error
	b.Any, errs[0] = w.compare(policies())
	b.Small, errs[1] = w.small().compare(policies())
	return b, errors.Join(errs[:]...)
}

// results are those of all policies.
type results struct {
	World    world
	Policies []result
}

// result is what one policy brought.
type result struct {
	Name    string
	Minutes []minute
	Second  int           // the most sends in one second
	Busiest []int         // the seconds of the busiest minute after the server's return
	Last    time.Duration // when the last message was taken
}

// compare simulates them all, side by side.
func (w world) compare(list []policy) (results, error) {
	r := results{World: w, Policies: make([]result, len(list))}
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, p := range list {
		all.Go(func() { r.Policies[i], errs[i] = w.simulate(p) })
	}
	all.Wait()
	return r, errors.Join(errs...)
}

func (w world) simulate(p policy) (result, error) {
	c := &clock{}
	s := &server{clock: c, back: w.Away, each: w.Each, trip: w.Trip, sessions: w.Sessions, tape: tape{taken: map[spool.ID]int{}}}
	var failures []func() error
	for i := range w.Machines {
		m := machine{clock: c, server: s, random: rand.New(rand.NewPCG(w.Seed, uint64(i)))}
		live, failure := p.cron(m, w.ids(i), w.Queued)
		failures = append(failures, failure)
		c.start(w.Queued+m.some(time.Second), live)
	}
	c.run()
	errs := []error{s.tape.complete(w.Machines * w.Messages)}
	for _, f := range failures {
		errs = append(errs, f())
	}
	t := &s.tape
	r := result{Name: p.name, Minutes: t.minutes, Second: slices.Max(t.seconds), Busiest: t.busiest(w.Away), Last: t.last}
	if err := errors.Join(errs...); err != nil {
		return r, fmt.Errorf("%s: %w", p.name, err)
	}
	return r, nil
}

// ids are those of a machine's messages.
func (w world) ids(machine int) []spool.ID {
	ids := make([]spool.ID, w.Messages)
	for i := range ids {
		ids[i] = spool.ID(fmt.Sprintf("M%dN%d", machine, i))
	}
	return ids
}

// complete checks that each of so many messages was taken, and taken once.
func (t *tape) complete(messages int) error {
	if n := len(t.taken); n != messages {
		return fmt.Errorf("%d messages of %d were taken", n, messages)
	}
	for id, n := range t.taken {
		if n != 1 {
			return fmt.Errorf("%s was taken %d times", id, n)
		}
	}
	return nil
}
