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

// server is the mail server of all machines. It is away at first, and connections are
// refused. When it is back it takes one message at a time, the same time for each, and
// turns connections away while it has as many as it stands. Its methods are called by
// whoever runs in the clock's time.
type server struct {
	clock    *clock
	back     time.Duration // until then it is away
	each     time.Duration // what a message takes it
	sessions int           // so many at once
	trip     time.Duration // a round trip to it

	free time.Duration // when it is done with what it has
	tape tape

	mu   sync.Mutex // for a goodbye is said behind the caller's back
	open int
}

// tape is what reached the server.
type tape struct {
	minutes []minute
	seconds []int
	last    time.Duration // when the last message was taken
	taken   map[spool.ID]int
}

// minute counts what came in one minute. A connection that is turned away counts as
// one send, and so does each message on one that is not.
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

// busiest are the seconds of the busiest minute in which the server was there.
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

// admit lets a connection in, for which closed has to be called.
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

// dial is how the program reaches it.
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

// take takes a message: when its turn has come, and what it takes has
// passed.
func (s *server) take(id spool.ID) {
	s.free = max(s.free, s.clock.now) + s.each
	s.clock.sleep(max(s.free, s.clock.now+s.trip))
	s.tape.count(s.clock.now, 1, 0)
	s.tape.taken[id]++
	s.tape.last = s.clock.now
}
