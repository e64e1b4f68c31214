package spool

import "time"

// Waiting is how a message in the queue waits for a server, not for its recipients.
type Waiting struct {
	// Since is when that began: when it was queued, or when it last had another answer.
	Since time.Time
	// Last is when it was last deferred.
	Last time.Time
	// Answered: the server answered, and did not take this message. If it takes another one,
	// that says nothing about this one.
	Answered bool
	// Trying: an attempt is under way, or its run was killed, and nothing else is known.
	Trying bool
}

// Waiting reports whether the message waits for a server: its last attempts, or those of
// other messages in its stead, failed because of a server, or a server deferred the message
// as a whole, or an attempt is still under way. A message that was never tried, is held or
// has failed does not wait for a server.
func (r *Record) Waiting() (w Waiting, ok bool) {
	if r.Held || r.GivenUp || !r.Touched {
		return Waiting{}, false
	}
	putOff := false
	for i := len(r.Events) - 1; i >= 0; i-- {
		e := &r.Events[i]
		switch e.Kind {
		case Try:
			if i < len(r.Events)-1 {
				continue // its result follows
			}
			w.Trying = true
		case Postpone:
			putOff, w.Trying = true, false
		case Result:
			server, own := r.deferredBy(e)
			if !server {
				return w, ok
			}
			putOff, w.Trying = true, false
			w.Answered = w.Answered || own && w.Last.IsZero()
		default:
			if e.Fresh {
				return w.from(r.QueuedAt, putOff), ok
			}
			continue
		}
		if w.Last.IsZero() {
			w.Last = e.At
		}
		w.Since, ok = e.At, true
	}
	return w.from(r.QueuedAt, putOff), ok
}

// from lets it begin when the message was queued, if it was deferred ever since.
func (w Waiting) from(queued time.Time, putOff bool) Waiting {
	if putOff && queued.Before(w.Since) {
		w.Since = queued
	}
	return w
}

// deferredBy reports whether a server, and not its own mailbox, deferred a recipient that is
// still pending. own: by an answer about this message.
func (r *Record) deferredBy(e *Event) (server, own bool) {
	for i := range e.Results {
		a := &e.Results[i]
		if a.Class == Delivered || a.Class == Failed || a.Class != Uncertain && a.Scope != ServerScope && a.Scope != MessageScope {
			continue
		}
		for _, to := range a.To {
			if to >= 0 && to < len(r.Recipients) && r.Recipients[to].State == RecipientPending {
				server, own = true, own || a.Scope != ServerScope
			}
		}
	}
	return server, own
}
