package submission

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Time limits of a session on the network. Those of RFC 5321 section 4.5.3.2 are minutes.
const (
	idleTime      = 5 * time.Minute // from a reply to the end of the next command
	loginTime     = 2 * time.Minute // from the first octet to a successful AUTH, TLS included
	replyTime     = time.Minute     // until the client has taken a reply
	pieceTime     = 3 * time.Minute // between two pieces of a message
	messageTime   = 2 * time.Hour   // for all of a message
	minRate       = 500             // octets of a message in a second, on average ...
	minRateCredit = time.Minute     // ... after this time
)

// errOver: the session must end. pace.reason is the reply.
var errOver = errors.New("submission: the session is over")

// pace sets the time limits of a connection, and ends it from outside.
type pace struct {
	raw net.Conn // below TLS

	mu       sync.Mutex
	over     string // the reply that ends the session, behind "421 "; empty: it goes on
	hard     bool   // a message that is being read is not waited for
	inData   bool
	began    time.Time // the message
	received int64     // octets of it
	most     int64     // of them; 0: no limit
	loginBy  time.Time // zero: the client has logged in
}

// begin is called before something is read. With nothing buffered it sets how long that may take.
func (p *pace) begin(inData bool, buffered int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if inData && !p.inData {
		p.began, p.received = time.Now(), 0
	}
	p.inData = inData
	if p.over != "" && (p.hard || !inData) {
		return errOver
	}
	if buffered > 0 {
		return nil
	}
	return p.raw.SetReadDeadline(p.deadline(time.Now()))
}

func (p *pace) deadline(now time.Time) time.Time {
	end := now.Add(idleTime)
	earlier := func(t time.Time) {
		if t.Before(end) {
			end = t
		}
	}
	if p.inData {
		earlier(now.Add(pieceTime))
		earlier(p.began.Add(messageTime))
		earlier(p.began.Add(minRateCredit + time.Duration(p.received)*(time.Second/minRate)))
	}
	if !p.loginBy.IsZero() {
		earlier(p.loginBy)
	}
	return end
}

// took counts octets of a message, and reports whether they are too many. A message that is refused
// is read to its end, but not without end.
func (p *pace) took(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received += int64(n)
	return p.most > 0 && p.received > p.most
}

// end makes the session end with that reply as soon as it reads the next command, or at once if
// it waits for one; hard: also in the middle of a message. The first reason stays.
func (p *pace) end(reply string, hard bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == "" {
		p.over = reply
	}
	p.hard = p.hard || hard
	if hard || !p.inData {
		p.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// reason is the reply that ends the session; empty: it goes on.
func (p *pace) reason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// loggedIn ends the time that there is for logging in.
func (p *pace) loggedIn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loginBy = time.Time{}
}
