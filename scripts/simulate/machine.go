package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/route"
	"notices/spool/schedule"
	"notices/spool/smtpclient"
)

// machine is one of many equal machines.
type machine struct {
	clock  *clock
	server *server
	random *rand.Rand
}

// fires is when cron next starts: in the first second of a minute. The machines' clocks
// differ by less than a second.
func (m *machine) fires() time.Duration {
	return m.clock.now.Truncate(time.Minute) + time.Minute + m.some(time.Second)
}

// some is a random part of d.
func (m *machine) some(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(m.random.Int64N(int64(d)))
}

// site is a machine that runs the program, with the real flush engine, route, SMTP client
// and schedule.
type site struct {
	machine
	store spool.Store
	left  func() bool // whether there is mail to send
	retry schedule.Policy
	splay time.Duration // flush --splay
	sent  int           // messages
	err   error
}

// cron starts a flush once a minute while there is mail, even if the one before still runs.
func (m *site) cron() {
	for m.left() && m.err == nil {
		m.clock.start(m.clock.now+m.some(m.splay), m.flush)
		m.clock.sleep(m.fires())
	}
}

// flush is one run of the program.
func (m *site) flush() {
	ctx := context.Background()
	route := route.New(route.Options{Servers: []route.Server{m.smarthost()}, State: m.store.State(), Now: m.clock.time})
	tally, err := flush.Run(ctx, flush.Options{
		Store:       m.store,
		Deliverer:   oneByOne{route},
		Policy:      m.retry,
		KeepHistory: 90 * 24 * time.Hour,
		Now:         m.clock.time,
		Random:      m.random.Int64N,
	})
	m.sent += tally.Sent
	m.err = errors.Join(m.err, err, route.Close(ctx))
}

func (m *site) smarthost() route.Server {
	return route.Server{Connections: 1, Server: smtpclient.Server{
		Name: "1", Host: "mail.example.org", Port: 25, AllowNonSecure: true, Hello: "m.example.org",
		Now: m.clock.time, Dial: m.server.dial,
		Timeout: 24 * time.Hour, // of real time; never reached
	}}
}

// oneByOne gives messages to a route one after the other, so that each run of the
// simulation does the same.
type oneByOne struct{ flush.Deliverer }

func (oneByOne) Workers() int { return 1 }
