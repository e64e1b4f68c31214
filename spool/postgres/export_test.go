package postgres

import (
	"context"
	"time"
)

// Freeze ends the lease of a store, as if its host had stood still for long, or were dead.
func (s *Store) Freeze() {
	s.session.mu.Lock()
	id := s.session.id
	s.session.mu.Unlock()
	_, err := s.db.pool.Exec(context.Background(), `update notices.session set expires = now() where id = $1`, id)
	if err != nil {
		panic(err)
	}
}

// SetRetryFor says how long a lost connection is waited for.
func (s *Store) SetRetryFor(d time.Duration) { s.db.retryFor = d }

// DueSQL is the query of an idle flush.
const DueSQL = dueSQL

// Watched counts the connections that the server watches.
func (s *Store) Watched() (n int) {
	for _, c := range s.db.pool.AcquireAllIdle(context.Background()) {
		var timeout string
		if err := c.QueryRow(context.Background(), `show tcp_user_timeout`).Scan(&timeout); err != nil {
			panic(err)
		}
		if timeout == "30000" {
			n++
		}
		c.Release()
	}
	return n
}

// Hold makes the calls that may share a transaction wait for resume, which lets those that wait then
// share one.
func (s *Store) Hold() (resume func()) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	s.shared.working += mostAtOnce
	return func() {
		s.shared.mu.Lock()
		defer s.shared.mu.Unlock()
		s.shared.working -= mostAtOnce - 1
		go s.shared.work()
	}
}

// Waiting counts the calls that wait.
func (s *Store) Waiting() int {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	return len(s.shared.waiting)
}
