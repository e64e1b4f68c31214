package sidecar

import (
	"bytes"
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

// Name formats the name of the sidecar of e: ".ID,TIME,S", or with --expires
// ".ID,EXPIRES,TIME,S".
func Name(e spool.Entry) string {
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

// ProbeName is the file by which a store tries what it may do in its folders.
const ProbeName = ".writable"

// Kind is what a name in a message folder is.
type Kind int

// The kinds.
const (
	Foreign Kind = iota
	Ignored      // ProbeName
	Body
	Sidecar
)

// ParsedName is a name taken apart without copying it: a listing of a million
// names must not make a million strings.
type ParsedName struct {
	Kind    Kind
	ID      []byte
	next    int64
	expires int64 // -1: never
	state   byte
}

// ParseName takes a name apart.
func ParseName(name []byte) ParsedName {
	if string(name) == ProbeName {
		return ParsedName{Kind: Ignored}
	}
	if len(name) == 0 || name[0] != '.' {
		if !validID(name) {
			return ParsedName{}
		}
		return ParsedName{Kind: Body, ID: name}
	}
	last := len(name) - 2 // ",S"
	if last < timeLength || name[last] != ',' {
		return ParsedName{}
	}
	p := ParsedName{Kind: Sidecar, state: name[last+1], expires: -1}
	rest, next, timed := cutTime(name[1:last])
	p.next = next
	if earlier, expires, ok := cutTime(rest); ok && p.state == letterQueued {
		rest, p.expires = earlier, expires
	}
	p.ID = rest
	if !timed || !validID(p.ID) || p.state != letterQueued && p.state != letterHeld && p.state != letterFailed {
		return ParsedName{}
	}
	return p
}

// validID is spool.ID.Valid; the conversion does not escape, so it copies nothing
// for names of ordinary length.
func validID(name []byte) bool { return spool.ID(name).Valid() }

// Failed reports whether it is the sidecar of a failed message.
func (p ParsedName) Failed() bool { return p.state == letterFailed }

// Entry is what the name says about its message.
func (p ParsedName) Entry() spool.Entry {
	e := spool.Entry{ID: spool.ID(p.ID), Next: seconds(p.next), State: spool.StateQueued}
	if p.expires >= 0 {
		e.Expires = seconds(p.expires)
	}
	switch p.state {
	case letterHeld:
		e.State = spool.StateHeld
	case letterFailed:
		e.State = spool.StateFailed
	}
	return e
}

// OwnerAside is the id of the message that a name in aside/ is of, or the name itself. A
// second one of a name has a number behind it, the sidecar's perhaps another than the
// body's: then they count as two.
func OwnerAside(name []byte) string {
	if p := ParseName(name); p.Kind != Foreign {
		return string(p.ID)
	}
	if dot := bytes.LastIndexByte(name, '.'); dot > 0 {
		if p := ParseName(name[:dot]); p.Kind == Sidecar {
			return string(p.ID) + string(name[dot:])
		}
	}
	return string(name)
}

// seconds is a whole second in UTC, as records hold it.
func seconds(unix int64) time.Time { return time.Unix(unix, 0).UTC() }
