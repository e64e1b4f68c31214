package submission

import (
	"bytes"
	"time"
)

// Meter counts what a Server does. Many goroutines call it, and wait for it.
type Meter interface {
	Connected()       // a connection was made, refused or not
	LoggedIn(ok bool) // a key was given: a right one or a wrong one
	// Refused is called for each reply of 4xx or 5xx, with its code and, if it
	// has one, its enhanced code: "451 4.7.1".
	Refused(codes string)
	Taken(octets int64)                         // a message was queued
	Committed(messages int, took time.Duration) // messages were queued together
}

type noMeter struct{}

func (noMeter) Connected()                   {}
func (noMeter) LoggedIn(bool)                {}
func (noMeter) Refused(string)               {}
func (noMeter) Taken(int64)                  {}
func (noMeter) Committed(int, time.Duration) {}

// refused counts a line of a reply, if it refuses. RCPT and DATA after a MAIL or RCPT that was refused
// are not counted: a client that pipelines (RFC 2920) has sent them before it knew.
func refused(m Meter, reply []byte) {
	if len(reply) < 4 || reply[0] < '4' || reply[3] != ' ' {
		return
	}
	if isLate(reply) {
		return
	}
	codes := reply[:3]
	if word, _, _ := bytes.Cut(bytes.TrimRight(reply[4:], "\r\n"), []byte(" ")); len(word) > 0 && len(word) <= len("5.255.255") && word[0] == reply[0] && bytes.Count(word, []byte(".")) == 2 {
		codes = reply[:4+len(word)]
	}
	m.Refused(string(codes))
}
