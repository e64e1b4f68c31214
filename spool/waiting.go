package spool

import "time"

// Waiting is how a message in the queue waits for a server, not for its recipients.
type Waiting struct {
	// Since is when that began: when it was queued, or when it last had another answer.
	Since time.Time
	// Last is when it was last put off.
	Last time.Time
	// Own: the server answered, and did not take this message. That another one was taken
	// says nothing of it.
	Own bool
	// Trying: an attempt is under way, or its run was killed, and nothing else is known.
	Trying bool
}

// Waiting tells whether the message waits for a server: its last attempts, or those of
// others in its stead, met trouble of servers, or a server put off the message as a whole,
// or an attempt is still under way. What was never tried, is held or has failed does not.
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
			server, own := r.putOffBy(e)
			if !server {
				return w, ok
			}
			putOff, w.Trying = true, false
			w.Own = w.Own || own && w.Last.IsZero()
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

// from lets it begin when the message was queued, if it was put off ever since.
func (w Waiting) from(queued time.Time, putOff bool) Waiting {
	if putOff && queued.Before(w.Since) {
		w.Since = queued
	}
	return w
}

// putOffBy reports whether a server, and not its own mailbox, put off somebody who is
// still to be served. own: by an answer about this message.
func (r *Record) putOffBy(e *Event) (server, own bool) {
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
