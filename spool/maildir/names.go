package maildir

import (
	"slices"
	"time"

	"notices/spool"
)

// Letters of the STATE field of a sidecar's name.
const (
	letterQueued = 'q'
	letterHeld   = 'h'
	letterFailed = 'f'
)

const (
	timeDigits = 10
	timeLength = 1 + timeDigits // ",TIME"
	tailLength = timeLength + 2 // ",TIME,S"
	maxTime    = 9_999_999_999
)

// sidecarName formats the name of the sidecar of e: ".ID,TIME,S", or with --expires
// ".ID,EXPIRES,TIME,S".
func sidecarName(e spool.Entry) string {
	b := make([]byte, 0, 1+len(e.ID)+timeLength+tailLength)
	b = append(b, '.')
	b = append(b, e.ID...)
	if !e.Expires.IsZero() {
		b = appendTime(b, e.Expires)
	}
	b = appendTime(b, e.Next)
	return string(append(b, ',', stateLetter(e.State)))
}

// appendTime appends ",TIME".
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, ",0000000000"...)
	seconds := min(max(t.Unix(), 0), maxTime)
	for i := len(b) - 1; seconds > 0; i-- {
		b[i] = byte('0' + seconds%10)
		seconds /= 10
	}
	return b
}

// cutTime takes ",TIME" off the end.
func cutTime(b []byte) (rest []byte, seconds int64, ok bool) {
	cut := len(b) - timeLength
	if cut < 0 || b[cut] != ',' {
		return b, 0, false
	}
	for _, c := range b[cut+1:] {
		if c < '0' || c > '9' {
			return b, 0, false
		}
		seconds = seconds*10 + int64(c-'0')
	}
	return b[:cut], seconds, true
}

func stateLetter(s spool.MessageState) byte {
	switch s {
	case spool.StateHeld:
		return letterHeld
	case spool.StateFailed:
		return letterFailed
	}
	return letterQueued
}

// kind is what a name in a message folder is.
type kind int

const (
	foreign kind = iota
	ignored      // of a trial (trial.go)
	body
	sidecar
)

// parsedName is a name taken apart without copying it: a listing of a million
// names must not make a million strings.
type parsedName struct {
	kind    kind
	id      []byte
	next    int64
	expires int64 // -1: never
	state   byte
}

func parseName(name []byte) parsedName {
	if string(name) == probeName {
		return parsedName{kind: ignored}
	}
	if len(name) == 0 || name[0] != '.' {
		if !validID(name) {
			return parsedName{}
		}
		return parsedName{kind: body, id: name}
	}
	last := len(name) - 2 // ",S"
	if last < timeLength || name[last] != ',' {
		return parsedName{}
	}
	p := parsedName{kind: sidecar, state: name[last+1], expires: -1}
	rest, next, timed := cutTime(name[1:last])
	p.next = next
	if earlier, expires, ok := cutTime(rest); ok && p.state == letterQueued {
		rest, p.expires = earlier, expires
	}
	p.id = rest
	if !timed || !validID(p.id) || p.state != letterQueued && p.state != letterHeld && p.state != letterFailed {
		return parsedName{}
	}
	return p
}

// validID is spool.ID.Valid; the conversion does not escape, so it copies nothing
// for names of ordinary length.
func validID(name []byte) bool { return spool.ID(name).Valid() }

func (p parsedName) entry() spool.Entry {
	e := spool.Entry{ID: spool.ID(p.id), Next: unixTime(p.next), State: spool.StateQueued}
	if p.expires >= 0 {
		e.Expires = unixTime(p.expires)
	}
	switch p.state {
	case letterHeld:
		e.State = spool.StateHeld
	case letterFailed:
		e.State = spool.StateFailed
	}
	return e
}

// entryOf is the entry that a record deserves in the listing.
func entryOf(r *spool.Record) spool.Entry {
	e := spool.Entry{ID: r.Envelope.ID, Next: r.NextSendAt, State: spool.StateQueued}
	switch {
	case r.GivenUp:
		e.State, e.Next = spool.StateFailed, givenUpAt(r)
	case r.Held:
		e.State = spool.StateHeld
	case !r.Envelope.ExpiresAt.IsZero():
		e.Expires = unixTime(r.Envelope.ExpiresAt.Unix())
	}
	return e
}

func givenUpAt(r *spool.Record) time.Time {
	for _, e := range slices.Backward(r.Events) {
		if e.Kind == spool.GiveUp {
			return e.At
		}
	}
	return r.NextSendAt
}

// home is the folder of messages in that state.
func folderOf(s spool.MessageState) string {
	if s == spool.StateFailed {
		return failedDir
	}
	return curDir
}
