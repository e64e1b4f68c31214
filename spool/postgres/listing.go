package postgres

import (
	"slices"
	"time"

	"notices/spool"
)

// Letters of message.state.
const (
	stateQueued = "q"
	stateHeld   = "h"
	stateFailed = "f"
)

// listed are the columns that a listing shows.
type listed struct {
	state   string
	next    int64
	expires *int64
}

// listing is what the listing of a record must show.
func listing(r *spool.Record) listed {
	switch l := (listed{state: stateQueued, next: r.NextSendAt.Unix()}); {
	case r.GivenUp:
		l.state, l.next = stateFailed, givenUpAt(r).Unix()
		return l
	case r.Held:
		l.state = stateHeld
		return l
	default:
		if at := r.Envelope.ExpiresAt; !at.IsZero() {
			seconds := at.Unix()
			l.expires = &seconds
		}
		return l
	}
}

func givenUpAt(r *spool.Record) time.Time {
	for _, e := range slices.Backward(r.Events) {
		if e.Kind == spool.GiveUp {
			return e.At
		}
	}
	return r.NextSendAt
}

// entry is what a listing tells.
func (l listed) entry(id spool.ID) spool.Entry {
	e := spool.Entry{ID: id, Next: seconds(l.next), State: spool.StateQueued}
	switch l.state {
	case stateHeld:
		e.State = spool.StateHeld
	case stateFailed:
		e.State = spool.StateFailed
	}
	if l.expires != nil && e.State == spool.StateQueued {
		e.Expires = seconds(*l.expires)
	}
	return e
}

func seconds(unix int64) time.Time { return time.Unix(unix, 0).UTC() }
