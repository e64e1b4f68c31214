package postgres

import (
	"context"
	"sync"

	"notices/spool"
)

// mostAhead is how many claims at most wait until they are asked for.
const mostAhead = 64

// ahead are claims that were taken, or are being taken, before they are asked for: many in one
// statement, and while other messages are sent. No attempt of them has begun. They end with the session,
// as all claims do.
type ahead struct {
	mu     sync.Mutex
	claims map[spool.ID]*taking
}

// get takes a claim out. None is of a failed message.
func (a *ahead) get(e spool.Entry) *taking {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.claims[e.ID]
	if t == nil || e.State == spool.StateFailed {
		return nil
	}
	delete(a.claims, e.ID)
	return t
}

// ClaimAhead begins to claim messages, as spool.AheadClaimer has it.
func (s *Store) ClaimAhead(ctx context.Context, entries ...spool.Entry) {
	if len(entries) == 0 {
		s.ahead.release(s.shared)
		return
	}
	session, err := s.session.get(ctx)
	if err != nil {
		return // Claim meets it, too
	}
	var calls []*call
	s.ahead.mu.Lock()
	defer s.ahead.mu.Unlock()
	if s.ahead.claims == nil {
		s.ahead.claims = map[spool.ID]*taking{}
	}
	for _, e := range entries {
		if !e.ID.Valid() || e.State == spool.StateFailed || s.ahead.claims[e.ID] != nil || len(s.ahead.claims) == mostAhead {
			continue
		}
		t := s.take(ctx, e, session, nonce())
		s.ahead.claims[e.ID], calls = t, append(calls, t.call)
	}
	s.shared.start(calls...)
}

// release lets go of what was not asked for. If that fails, these claims end when the session does.
func (a *ahead) release(shared *sharer) {
	a.mu.Lock()
	left := a.claims
	a.claims = nil
	a.mu.Unlock()
	var calls []*call
	for _, t := range left {
		if o := <-t.call.done; o.err == nil && t.answer == "ok" {
			calls = append(calls, t.claim.release(t.shown))
		}
	}
	shared.start(calls...)
	for _, c := range calls {
		<-c.done
	}
}
