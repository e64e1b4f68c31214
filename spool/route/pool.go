package route

import "time"

// pool is the connections to one server. All of it is guarded by server.mu.
type pool struct {
	max    int // Connections, or less once the server refused one more
	closed bool

	slots   int // connections open, being opened or saying goodbye: never over max
	opening int
	flights int  // messages on a connection, or on one being opened
	ended   int  // connections that we ended so far
	vacant  int  // of those, not yet replaced
	refused int  // replacements in a row that the server refused
	patient bool // the next one must wait
	proofs  int  // grows whenever a connection proves that the server works
	open    []*member
	queue   []*waiter
	parting int // connections saying goodbye
	gone    chan struct{}
}

// member is an open connection.
type member struct {
	line     line
	flights  int  // 0 or 1
	given    int  // transactions ever
	departed bool // takes no more messages
	parted   bool // and says goodbye
}

// place is the right to one transaction on a connection.
type place struct {
	m *member // nil: the holder opens it
	// When the opening began:
	proofs, ended int  // those of the pool
	replaces      bool // a connection that we ended
}

// find looks for a place: on an idle connection, on a new one; nil: none now. reopening: the caller holds the slot of a connection
// that went stale and wants it opened anew.
func (s *server) find(reopening bool) *place {
	p := &s.pool
	if s.breaker.unproven && p.flights > 0 {
		return nil // one message finds out for all
	}
	if reopening {
		if !p.mayOpen() {
			return nil
		}
		return p.opens()
	}
	if m := s.idle(); m != nil {
		return p.board(m)
	}
	if p.slots < p.max && p.mayOpen() {
		p.slots++
		return p.opens()
	}
	return nil
}

// mayOpen holds everybody back while the only connection is still being opened:
// if the server is dead, one time-out tells, not one for each message.
func (p *pool) mayOpen() bool {
	return !p.patient && (p.opening == 0 || len(p.open) > 0)
}

func (p *pool) opens() *place {
	p.opening++
	p.flights++
	l := &place{proofs: p.proofs, ended: p.ended, replaces: p.vacant > 0}
	p.vacant = max(0, p.vacant-1)
	return l
}

// idle returns a connection without a message. The first ones are preferred, so that a small
// run logs in once.
func (s *server) idle() *member {
	for _, m := range s.pool.open {
		if m.flights == 0 {
			return m
		}
	}
	return nil
}

func (p *pool) board(m *member) *place {
	p.flights++
	m.flights++
	m.given++
	return &place{m: m}
}

// leave takes a connection out of use and says goodbye when it is empty.
func (s *server) leave(m *member) {
	p := &s.pool
	if !m.departed {
		m.departed = true
		for i := range p.open {
			if p.open[i] == m {
				p.open = append(p.open[:i], p.open[i+1:]...)
				break
			}
		}
	}
	if m.flights == 0 && !m.parted {
		m.parted = true
		p.parting++
		go s.goodbye(m)
	}
}

// full: it has carried as many messages as one connection may.
func (s *server) full(m *member) bool {
	return s.MessagesPerConnection > 0 && m.given >= s.MessagesPerConnection
}

// A server may refuse to have a connection replaced because it has not yet noticed
// that the last one has gone: it is asked again after a moment, twice as long each
// time, so often before it counts as a lower limit.
const (
	patience = 3
	moment   = 100 * time.Millisecond
)

// replacing reports whether the server may have refused l only because it has not
// noticed that another connection ended.
func (p *pool) replacing(l *place) bool {
	return p.patient || p.refused < patience && (l.replaces || p.ended > l.ended)
}

// shrink is called when one more connection was refused beside working ones. The
// server allows fewer, then, for the rest of the run.
func (s *server) shrink(l *place) {
	p := &s.pool
	if l.replaces {
		p.vacant++
	}
	if p.patient {
		return // dialled before it was known
	}
	if p.replacing(l) {
		p.patient = true
		time.AfterFunc(moment<<p.refused, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			p.patient = false
			s.dispatch()
		})
		p.refused++
		return
	}
	p.max = max(1, min(p.max, p.slots))
	p.vacant, p.refused = 0, 0
}

// fewer takes m out of use, for the server says at a transaction that too many connections are
// open. It reports whether others are left for the rest of the run.
func (s *server) fewer(m *member) bool {
	p := &s.pool
	if s.shut() || m.departed || len(p.open) < 2 {
		return false
	}
	p.max = max(1, min(p.max, len(p.open)+p.opening-1))
	s.leave(m)
	return true
}

// working reports whether a connection other than the one of p, which could not be
// opened, shows that the server works.
func (p *pool) working(failed *place) bool {
	if p.proofs > failed.proofs {
		return true
	}
	for _, m := range p.open {
		if m.flights > 0 {
			return true
		}
	}
	return false
}
