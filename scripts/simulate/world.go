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

// world describes a simulation. Times count from the start of the outage.
type world struct {
	Machines, Messages int           // messages on each machine
	Away               time.Duration // until then the server is away
	Queued             time.Duration // when the messages are queued
	Each               time.Duration // the server's time per message; 0: none
	Sessions           int           // the server's limit of connections; 0: none
	Trip               time.Duration // a round trip to it
	Seed               uint64
}

// night is the world that the manual describes.
var night = world{
	Machines: 200, Messages: 500, Away: 2 * time.Hour, Queued: 8 * time.Minute,
	Trip: 10 * time.Millisecond, Seed: 1,
}

// small is the same world with a small server.
func (w world) small() world {
	w.Each, w.Sessions = 10*time.Millisecond, 100
	return w
}

// both returns the results with both servers.
type both struct{ Any, Small results }

func (w world) both() (both, error) {
	var b both
	var errs [2]error
	b.Any, errs[0] = w.compare(policies())
	b.Small, errs[1] = w.small().compare(policies())
	return b, errors.Join(errs[:]...)
}

// results are the results of all policies.
type results struct {
	World    world
	Policies []result
}

// result is the result of one policy.
type result struct {
	Name    string
	Minutes []minute
	Second  int           // the most sends in one second
	Busiest []int         // the seconds of the busiest minute after the outage
	Last    time.Duration // when the last message was accepted
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

// ids returns the ids of a machine's messages.
func (w world) ids(machine int) []spool.ID {
	ids := make([]spool.ID, w.Messages)
	for i := range ids {
		ids[i] = spool.ID(fmt.Sprintf("M%dN%d", machine, i))
	}
	return ids
}

// complete checks that each of n messages was accepted once.
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
