package maildir

import (
	"slices"
	"strconv"
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
	tailLength = 1 + timeDigits + 2 // ",TIME,S"
	maxTime    = 9_999_999_999
)

// sidecarName formats the name of the sidecar of e.
func sidecarName(e spool.Entry) string {
	b := make([]byte, 0, 1+len(e.ID)+tailLength)
	b = append(b, '.')
	b = append(b, e.ID...)
	b = append(b, ',')
	seconds := min(max(e.Next.Unix(), 0), maxTime)
	digits := strconv.AppendInt(nil, seconds, 10)
	for range timeDigits - len(digits) {
		b = append(b, '0')
	}
	b = append(b, digits...)
	return string(append(b, ',', stateLetter(e.State)))
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
	body
	sidecar
)

// parsedName is a name taken apart without copying it: a listing of a million
// names must not make a million strings.
type parsedName struct {
	kind  kind
	id    []byte
	next  int64
	state byte
}

func parseName(name []byte) parsedName {
	if len(name) == 0 || name[0] != '.' {
		if !validID(name) {
			return parsedName{}
		}
		return parsedName{kind: body, id: name}
	}
	cut := len(name) - tailLength
	if cut < 2 || name[cut] != ',' || name[len(name)-2] != ',' {
		return parsedName{}
	}
	p := parsedName{kind: sidecar, id: name[1:cut], state: name[len(name)-1]}
	for _, c := range name[cut+1 : len(name)-2] {
		if c < '0' || c > '9' {
			return parsedName{}
		}
		p.next = p.next*10 + int64(c-'0')
	}
	if !validID(p.id) || p.state != letterQueued && p.state != letterHeld && p.state != letterFailed {
		return parsedName{}
	}
	return p
}

// validID is spool.ID.Valid; the conversion does not escape, so it copies nothing
// for names of ordinary length.
func validID(name []byte) bool { return spool.ID(name).Valid() }

func (p parsedName) entry() spool.Entry {
	e := spool.Entry{ID: spool.ID(p.id), Next: time.Unix(p.next, 0).UTC(), State: spool.StateQueued}
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
func home(s spool.MessageState) string {
	if s == spool.StateFailed {
		return failedDir
	}
	return curDir
}
