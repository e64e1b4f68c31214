package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"notices/spool"
)

// nonce is drawn for a session, a claim, a body or a value; it is never 0.
func nonce() int64 { return 1 + rand.Int64N(1<<62) }

// session is the sign of life of this store. It begins with the first claim, and is renewed by
// a goroutine until Close.
type session struct {
	db    *database
	host  string
	lease time.Duration

	mu   sync.Mutex
	id   int64     // 0: none
	sure time.Time // until then it is alive for certain
	stop func()
}

const renewSQL = `select notices.renew($1, $2, $3, $4, $5)`

// get returns the session. It begins one if it has to.
func (s *session) get(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != 0 {
		return s.id, nil
	}
	id, alive, asked := nonce(), false, time.Now()
	if err := s.db.row(ctx, renewSQL, []any{id, s.host, s.lease.Seconds(), true, false}, &alive); err != nil {
		return 0, err
	}
	s.id, s.sure = id, asked.Add(s.lease)
	if s.stop == nil {
		var work context.Context
		work, s.stop = context.WithCancel(context.WithoutCancel(ctx))
		go s.keep(work)
	}
	return id, nil
}

// keep renews the session. An error is met again by whoever works.
func (s *session) keep(ctx context.Context) {
	t := time.NewTicker(s.lease / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_ = s.renew(ctx, false)
		}
	}
}

// renew goes on with the session, if there is one.
func (s *session) renew(ctx context.Context, durable bool) error {
	s.mu.Lock()
	id := s.id
	s.mu.Unlock()
	if id == 0 {
		return nil
	}
	alive, asked := false, time.Now()
	err := s.db.row(ctx, renewSQL, []any{id, s.host, s.lease.Seconds(), false, durable}, &alive)
	switch {
	case err == nil && alive:
		s.mu.Lock()
		s.sure = asked.Add(s.lease)
		s.mu.Unlock()
	case err == nil:
		s.lapsed(id)
	}
	return err
}

// has reports whether this is the session, and alive for certain: by the clock of this host, which may only
// spare a step that would be in vain.
func (s *session) has(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id == id && time.Now().Before(s.sure)
}

// doubt notes that a claim of a session was lost.
func (s *session) doubt(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == id {
		s.sure = time.Time{}
	}
}

// lapsed notes that a session is over. The next claim begins another.
func (s *session) lapsed(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == id {
		s.id = 0
	}
}

// within makes a call that needs a living session. If the one it was given is over, it is made
// once more, with a new one.
func (s *session) within(ctx context.Context, call func(id int64) (answer string, err error)) (int64, string, error) {
	for range 2 {
		id, err := s.get(ctx)
		if err != nil {
			return 0, "", err
		}
		answer, err := call(id)
		if err != nil || answer != "lapsed" {
			return id, answer, err
		}
		s.lapsed(id)
	}
	return 0, "", fmt.Errorf("%w: a session ends as soon as it begins", spool.ErrUnreachable)
}

// end is for Close.
func (s *session) end() error {
	s.mu.Lock()
	id, stop := s.id, s.stop
	s.id = 0
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	if id == 0 || s.db.away.Load() != nil { // that it is away was said by whoever met it
		return nil
	}
	return s.db.row(context.Background(), `select notices.leave($1)::text`, []any{id}, new(string))
}
