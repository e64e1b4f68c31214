package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"notices/spool"
)

// server is the mail server of all machines. At first it is away, and connections are
// refused. Later it accepts one message after another, in the same time each, and refuses
// connections over its limit. Only the running goroutine of the clock calls its methods.
type server struct {
	clock    *clock
	back     time.Duration // until then it is away
	each     time.Duration // per message
	sessions int           // most connections at once
	trip     time.Duration // a round trip to it

	free time.Duration // when it has worked off what it has
	tape tape

	mu   sync.Mutex // a connection pool says goodbye in a goroutine of its own
	open int
}

// tape is what reached the server.
type tape struct {
	minutes []minute
	seconds []int
	last    time.Duration // when the last message was taken
	taken   map[spool.ID]int
}

// minute counts the sends of one minute: refused connections, and messages on the others.
type minute struct{ Taken, TurnedAway int }

func (m minute) sends() int { return m.Taken + m.TurnedAway }

func (t *tape) count(at time.Duration, taken, turnedAway int) {
	for len(t.minutes) <= int(at/time.Minute) {
		t.minutes = append(t.minutes, minute{})
		t.seconds = append(t.seconds, make([]int, 60)...)
	}
	m := &t.minutes[at/time.Minute]
	m.Taken += taken
	m.TurnedAway += turnedAway
	t.seconds[at/time.Second] += taken + turnedAway
}

// busiest returns the seconds of the busiest minute after the outage.
func (t *tape) busiest(back time.Duration) []int {
	best := int(back / time.Minute)
	for i := best; i < len(t.minutes); i++ {
		if t.minutes[i].sends() > t.minutes[best].sends() {
			best = i
		}
	}
	return t.seconds[60*best : 60*best+60]
}

// Errors of admit.
var (
	errAway = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errFull = errors.New("421 4.3.2 too many connections, come back later")
)

// admit accepts a connection. The caller has to call closed for it.
func (s *server) admit() error {
	s.clock.sleep(s.clock.now + s.trip)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.clock.now < s.back:
		s.tape.count(s.clock.now, 0, 1)
		return errAway
	case s.sessions > 0 && s.open >= s.sessions:
		s.tape.count(s.clock.now, 0, 1)
		return errFull
	}
	s.open++
	return nil
}

// dial connects the program to the server.
func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	switch err := s.admit(); err {
	case nil:
		return &session{server: s, out: []byte("220 mail.example.org ESMTP\r\n")}, nil
	case errFull:
		return &session{out: []byte(err.Error() + "\r\n")}, nil
	default:
		return nil, err
	}
}

func (s *server) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// take accepts a message, after those before it and the time that each needs.
func (s *server) take(id spool.ID) {
	s.free = max(s.free, s.clock.now) + s.each
	s.clock.sleep(max(s.free, s.clock.now+s.trip))
	s.tape.count(s.clock.now, 1, 0)
	s.tape.taken[id]++
	s.tape.last = s.clock.now
}
