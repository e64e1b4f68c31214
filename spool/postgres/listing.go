package postgres

import (
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
	e := r.Entry()
	l := listed{state: stateQueued, next: e.Next.Unix()}
	switch e.State {
	case spool.StateFailed:
		l.state = stateFailed
	case spool.StateHeld:
		l.state = stateHeld
	}
	if !e.Expires.IsZero() {
		at := e.Expires.Unix()
		l.expires = &at
	}
	return l
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
