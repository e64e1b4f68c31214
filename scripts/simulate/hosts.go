package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"notices/scripts/plot"
	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

// evening is the world in which hosts share a queue in a database.
var evening = world{Machines: 1, Messages: 1000, Away: 30 * time.Minute, Queued: 8 * time.Minute, Trip: 10 * time.Millisecond, Seed: 1}

// longest is when a simulation of hosts ends in any case. A message that was not accepted by then is lost.
const longest = 24 * time.Hour

// team has hosts that share a queue, or in groups that share one each: group i has host i, i+groups and
// so on, and every groups-th message.
type team struct{ hosts, groups int }

// crew is the result of a team.
type crew struct {
	team
	result
	Sent []int // messages sent by each host
}

// teams prints what happens when more and more hosts share a queue, and when they are divided into
// groups with a database each: once with a server that is there, and once after an outage.
func (w world) teams(list []team) error {
	db, err := cluster.Start("")
	if err != nil {
		return err
	}
	at := func(away, queued time.Duration, messages int) error {
		w.Away, w.Queued, w.Messages = away, queued, messages
		fmt.Printf("%-8s%8s%10s%12s%10s%10s%10s   %s\n", "hosts", "groups", "messages", "turned away", "a minute", "a second", "done", "of each host")
		for _, t := range list {
			c, err := w.together(db, t)
			if err != nil {
				return err
			}
			fmt.Print(c.line(w.Away))
		}
		return nil
	}
	fmt.Println("a server that is there:")
	err = at(0, 0, 4*w.Messages)
	if err == nil {
		fmt.Printf("\na server that is away for %s:\n", hours(evening.Away))
		err = at(evening.Away, evening.Queued, evening.Messages)
	}
	return errors.Join(err, db.Stop())
}

// line is the row of a table. Done counts from the return of the server.
func (c *crew) line(away time.Duration) string {
	taken, turnedAway, busiest := c.sums()
	done := c.Last - away
	text := fmt.Sprintf("%d:%02d", int(done.Minutes()), int(done.Seconds())%60)
	return fmt.Sprintf("%-8d%8d%10s%12s%10s%10s%10s   %s to %s\n", c.hosts, c.groups, plot.Thousands(taken), plot.Thousands(turnedAway),
		plot.Thousands(busiest), plot.Thousands(c.Second), text, plot.Thousands(slices.Min(c.Sent)), plot.Thousands(slices.Max(c.Sent)))
}

// together simulates a team, with the real store: each host has its own connections to the database
// of its group. The database takes no simulated time. The claims' leases go by its real clock.
func (w world) together(db *cluster.Server, t team) (*crew, error) {
	c := &clock{}
	s := &server{clock: c, back: w.Away, each: w.Each, trip: w.Trip, sessions: w.Sessions, tape: tape{taken: map[spool.ID]int{}}}
	splay := 30 * time.Second
	if w.Away == 0 {
		splay = 0 // all begin within a second: a host that began half a minute earlier would send everything alone
	}
	var sites []*site
	var stores []*postgres.Store
	defer func() {
		for _, store := range stores {
			_ = store.Close() // its database is dropped
		}
	}()
	for group := range t.groups {
		name, err := db.NewDatabase()
		if err != nil {
			return nil, err
		}
		for host := group; host < t.hosts; host += t.groups {
			store, err := postgres.Open(context.Background(), postgres.Options{URL: db.URL(name), Host: fmt.Sprintf("host%d", host)})
			if err != nil {
				return nil, err
			}
			stores = append(stores, store)
			m := machine{clock: c, server: s, random: rand.New(rand.NewPCG(w.Seed, uint64(host)))}
			left := func() bool { return len(s.tape.taken) < w.Messages && c.now < longest }
			sites = append(sites, &site{machine: m, store: store, left: left, retry: ours, splay: splay})
			c.start(w.Queued+m.some(time.Second), sites[len(sites)-1].cron)
		}
		if err := queue(stores[len(stores)-1], w.ids(0), group, t.groups, epoch.Add(w.Queued)); err != nil {
			return nil, err
		}
	}
	c.run()
	r := &crew{team: t, result: result{Minutes: s.tape.minutes, Second: slices.Max(s.tape.seconds), Last: s.tape.last}}
	errs := []error{s.tape.complete(w.Messages)}
	for _, one := range sites {
		r.Sent, errs = append(r.Sent, one.sent), append(errs, one.err)
	}
	return r, errors.Join(errs...)
}

// queue queues the messages of a group.
func queue(store spool.Store, ids []spool.ID, group, groups int, at time.Time) error {
	var drafts []spool.Draft
	for i := group; i < len(ids); i += groups {
		d, err := store.New(context.Background(), ids[i])
		if err == nil {
			_, err = d.Write(notice)
		}
		if err == nil {
			err = d.Seal(spool.Envelope{ID: ids[i], Sender: "library@example.org", Recipients: []string{string(ids[i]) + "@example.net"}, QueuedAt: at})
		}
		if err != nil {
			return err
		}
		drafts = append(drafts, d)
	}
	_, err := store.Commit(context.Background(), drafts...)
	return err
}

// parseTeams reads "1,2,8/4": one host, two, and eight in four groups.
func parseTeams(text string) (list []team, err error) {
	for part := range strings.SplitSeq(text, ",") {
		t := team{groups: 1}
		if _, err := fmt.Sscanf(part, "%d/%d", &t.hosts, &t.groups); err != nil {
			if _, err := fmt.Sscanf(part, "%d", &t.hosts); err != nil {
				return nil, fmt.Errorf("-hosts %s: as in 1,2,4,8/4", text)
			}
		}
		if t.groups < 1 || t.hosts < t.groups {
			return nil, fmt.Errorf("-hosts %s: each group needs a host", text)
		}
		list = append(list, t)
	}
	return list, nil
}
