package spool

import (
	"io"
	"time"
)

// Message is one attempt's worth of a message as the flush engine hands it to a
// route: only the recipients that are still pending.
type Message struct {
	ID         ID
	Sender     string
	Recipients []string
	Body       io.ReaderAt // canonical: CRLF only, no line over 998 octets, ends in CRLF
	Size       int64       // octets of Body
	EightBit   bool
	UTF8       bool
	// Asked is what the sender asked to be told of these recipients, for the server; nil: nothing.
	DSN *DSNParams
	// Report: it is about another message, and goes out by the servers for its recipient,
	// who sent that one.
	Report bool
	// RefusalFinal: what every server refuses as a whole has failed, though the words may mean
	// the account. It was refused twice before, or goes out once more in another form.
	RefusalFinal bool
	// Begin records the attempt. The route calls it once, before the first server
	// hears of the message; its error (the spool cannot be written) ends the run.
	Begin func() error
}

// Wait says why a message was not attempted.
type Wait string

// Waits.
const (
	Attempted Wait = ""
	// NoServer: every server is paused. The message gets a new next send, undialled.
	NoServer Wait = "no server"
	// Limited: a day's budget or a [[limit]] is used up. The message stays due.
	Limited Wait = "limit"
	// Stopped: the run was ended before any server took or refused the message. It
	// stays due.
	Stopped Wait = "stopped"
)

// Delivery is what became of a Message.
type Delivery struct {
	Wait  Wait
	Until time.Time // with NoServer or Limited: not before then; may be zero
	// Spent, with Limited: it is the day's budget of the only way out, so that no message
	// can be sent before Until.
	Spent bool
	// Outcomes holds one outcome for each recipient, in order; those of ReasonRate were
	// put off and stay due. With NoServer it holds the trouble that paused the last
	// server, for the message's last error; with Limited, which limit it was.
	Outcomes []Outcome
	// Passed are the troubles met on the way to the server that answered, one for
	// each server passed over in this attempt, for the history.
	Passed []Outcome
	// Doubted, if set, says that the message was deferred only because it is not known whether
	// it or the account was refused (ReasonRefused, ReasonSender). Asked at the end of the run,
	// it reports whether the server took another message meanwhile: then it was the message.
	Doubted func() bool
}
