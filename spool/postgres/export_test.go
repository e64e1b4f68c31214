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
