package submission

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"notices/spool/printable"
)

// Limits of what a client may do before it hands in a message, or from one to the next.
const (
	maxStrangerCommands = 50 // before AUTH
	maxCommands         = 1000
	maxRecipientsAsked  = 100_000
	maxStrangerErrors   = 10
	maxErrors           = 100 // those in a row that do not mean that a message has too many recipients
	quickErrors         = 10  // each further error is answered after errorTime
	errorTime           = time.Second
)

// maxReplies is how many octets of replies are collected before they are written.
const maxReplies = 4 << 10

// counts is what a client did since its last message.
type counts struct{ commands, recipients, errors int }

// reply takes one line of a reply. Replies to commands that came together are written together.
func (w *wire) reply(p []byte) error {
	switch {
	case bytes.HasPrefix(p, []byte("220 ")) && w.peer.greeted:
		return nil // go-smtp's greeting; the client had one before STARTTLS
	case bytes.HasPrefix(p, []byte("421 4.4.")):
		if why := w.peer.pace.reason(); why != "" {
			p = fmt.Appendf(nil, "421 %s\r\n", why)
		}
	case bytes.HasPrefix(p, []byte("235 2.0.0 ")):
		// The code is that of RFC 4954 section 6. test-server at the site reads the address.
		p = fmt.Appendf(nil, "235 2.7.0 you are logged in; mail is sent from <%s>\r\n", printable.ASCII(w.peer.rules().From))
	case len(p) > 4 && bytes.HasPrefix(p[4:], []byte("LIMITS RCPTMAX=")): // of EHLO, RFC 9422
		p = fmt.Appendf(nil, "%sLIMITS RCPTMAX=%d\r\n", p[:4], w.peer.rules().MaxRecipients)
	}
	if len(p) > 3 && p[3] == ' ' {
		w.count(p)
		refused(w.peer.meter, p)
	}
	queued := bytes.HasPrefix(p, []byte(queuedReply))
	if w.replies = append(w.replies, p...); queued || len(w.replies) > maxReplies {
		return w.flush()
	}
	return nil
}

// hasHugeSize reports whether a MAIL command has a SIZE that go-smtp cannot read, since it is 2^32
// or more.
func hasHugeSize(line []byte) bool {
	for _, word := range strings.Fields(string(line)) {
		key, digits, _ := strings.Cut(word, "=")
		if strings.EqualFold(key, "SIZE") && len(digits) >= 10 && len(digits) <= 20 && strings.Trim(digits, "0123456789") == "" {
			return true
		}
	}
	return false
}

// properSize offers in the reply to EHLO what a message may have. go-smtp's limit is one more: see newServer.
func properSize(p []byte) []byte {
	if len(p) < 4 {
		return p
	}
	text, ok := strings.CutPrefix(string(p[4:]), "SIZE ")
	limit, err := strconv.ParseInt(strings.TrimRight(text, "\r\n"), 10, 64)
	if !ok || err != nil {
		return p
	}
	return fmt.Appendf(nil, "%sSIZE %d\r\n", p[:4], limit-1)
}

// properCode gives a reply of go-smtp the code that its RFC wants.
func (w *wire) properCode(p []byte) []byte {
	if len(p) == 0 || p[0] < '4' {
		return p
	}
	begins := func(text string) bool { return bytes.HasPrefix(p, []byte(text)) }
	switch {
	case begins("502 5.5.1 Missing MAIL FROM"):
		return []byte(noMail)
	case begins("502 5.5.1 Missing RCPT TO"):
		return []byte(noRecipient)
	case begins("502 5.5.1 Please introduce yourself"):
		return []byte("503 5.5.1 EHLO comes first\r\n")
	case begins("502 5.5.1 TLS not supported") && w.peer != nil:
		return []byte("503 5.5.1 TLS is active already\r\n")
	case begins("502 5.5.1 TURN "): // it may have been BDAT
		return []byte("502 5.5.1 not implemented; messages are sent with DATA\r\n")
	case begins("454 4.7.0 Invalid base64"):
		return []byte("501 5.5.2 the response is not in base64\r\n") // RFC 4954 section 4
	case begins("502 5.5.4 Missing parameter"):
		return []byte("501 5.5.4 AUTH needs a mechanism: PLAIN or LOGIN\r\n")
	case begins("500 5.5.4 Unknown "):
		return []byte("555 5.5.4 unknown parameter\r\n") // RFC 5321 section 4.1.1.11
	case begins("501 5.5.4 Unable to parse SIZE") && hasHugeSize(w.line):
		return []byte("552 5.3.4 the message is larger than this server takes\r\n") // RFC 1870 section 6
	}
	return p
}

// Replies to RCPT and DATA without what has to come before them (RFC 5321 section 4.1.4). A client
// that pipelines (RFC 2920) gets them when it sent both before it knew that the server refuses MAIL.
const (
	noMail      = "503 5.5.1 no MAIL was accepted before\r\n"
	noRecipient = "503 5.5.1 no RCPT was accepted before\r\n"
)

func isLate(reply []byte) bool { return string(reply) == noMail || string(reply) == noRecipient }

// queuedReply begins the reply that a message is queued, which is written at once.
const queuedReply = "250 2.0.0 " + queuedAs

const queuedAs = "queued as "

// count counts the errors, and slows down a client that causes many.
func (w *wire) count(reply []byte) {
	c := &w.counts
	switch {
	case bytes.HasPrefix(reply, []byte(queuedReply)):
		*c = counts{}
	case reply[0] < '4', bytes.HasPrefix(reply, []byte("452 4.5.3 ")), bytes.HasPrefix(reply, []byte("421 ")):
	case isLate(reply) && !w.peer.isAnonymous():
	default:
		most := maxErrors
		if w.peer.isAnonymous() {
			most = maxStrangerErrors
		}
		if c.errors++; c.errors >= most {
			w.peer.pace.end("4.7.0 too many errors", false)
		} else if c.errors > quickErrors {
			_ = w.flush() // the next write shows the error again
			w.pause(errorTime)
		}
	}
}

// pause waits, unless the connection is closed.
func (w *wire) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.closed:
	}
}

// countCommand ends the session of a client that asks for very much and hands in nothing.
func (w *wire) countCommand(line []byte) {
	c, most := &w.counts, maxCommands
	if w.peer.isAnonymous() {
		most = maxStrangerCommands
	}
	if len(line) > 4 && bytes.EqualFold(line[:4], []byte("RCPT")) {
		c.recipients++
	} else {
		c.commands++
	}
	if c.commands > most || c.recipients > maxRecipientsAsked {
		w.peer.pace.end("4.7.0 too many commands", false)
	}
}

// flush writes the replies. A client has to take them.
func (w *wire) flush() error {
	if len(w.replies) == 0 {
		return nil
	}
	w.Conn.SetWriteDeadline(time.Now().Add(replyTime))
	_, err := w.Conn.Write(w.replies)
	if w.replies = w.replies[:0]; cap(w.replies) > maxReplies {
		w.replies = nil
	}
	return err
}
