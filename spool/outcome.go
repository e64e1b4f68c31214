package spool

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// Class says what an answer means for the recipient. Unknown means Deferred:
// no message is given up for a reply that is not understood.
type Class string

// The four classes.
const (
	Delivered Class = "delivered"
	Deferred  Class = "deferred"
	Failed    Class = "failed"
	// Uncertain: the final dot was sent and no answer came. It may have been taken.
	Uncertain Class = "uncertain"
)

// Scope says what failed. It decides failover: the next server is tried after a failure of the
// server itself, a 4xx for the whole message, and a 5xx for it that another server may not give.
type Scope string

// The three scopes.
const (
	ServerScope    Scope = "server"
	MessageScope   Scope = "message"
	RecipientScope Scope = "recipient"
)

// Reason refines an outcome where its class and scope do not decide what follows. The zero
// value is the ordinary case: the reply's code says it all.
type Reason string

// Reasons.
const (
	ReasonDNS      Reason = "dns"      // the server's name does not resolve
	ReasonConnect  Reason = "connect"  // no connection; refused, unreachable, timed out
	ReasonGreeting Reason = "greeting" // no or a bad greeting or EHLO
	ReasonTLS      Reason = "tls"      // handshake or certificate failed, or STARTTLS is not offered
	ReasonAuth     Reason = "auth"     // AUTH refused for good: 530, 534, 535, 538; a person is needed
	ReasonAuthWait Reason = "authwait" // AUTH refused for now: 454 4.7.0
	ReasonLimit    Reason = "limit"    // the account's limit or policy
	ReasonAccount  Reason = "account"  // the account is shut, unpaid or not opened yet; a person is needed
	ReasonRelay    Reason = "relay"    // relaying denied, or the client is not served
	ReasonHelo     Reason = "helo"     // the name said with EHLO is refused: [site] hostname
	ReasonIdentity Reason = "identity" // the account is not verified for the sender
	ReasonPolicy   Reason = "policy"   // refused at RCPT for a policy that need not be about the recipient
	ReasonOneOf    Reason = "oneof"    // words about a recipient in answer to a message to several
	ReasonSession  Reason = "session"  // this connection carried as many messages as it may
	ReasonShutdown Reason = "shutdown" // 421
	ReasonBusy     Reason = "busy"     // one more connection refused beside working ones
	ReasonProtocol Reason = "protocol" // what came is no SMTP
	ReasonLost     Reason = "lost"     // timed out or lost after MAIL was accepted, before the final dot
	ReasonSender   Reason = "sender"   // 5xx to MAIL, or words about the sender later
	// ReasonRefused: deferred although every server refused the message as a whole for good,
	// in words that may mean the account. Refused for the third time, it fails.
	ReasonRefused  Reason = "refused"
	ReasonSendAs   Reason = "sendas"   // 5.7.60: the account may not send as this sender
	ReasonCannot   Reason = "cannot"   // the server lacks SMTPUTF8, or takes no message of this size or in a loop
	ReasonTooMany  Reason = "toomany"  // 452 4.5.3: the rest belongs in another transaction
	ReasonExpired  Reason = "expired"  // not the server's word: the message's time is over
	ReasonSecret   Reason = "secret"   // not the server's word: the password or token could not be read here
	ReasonToken    Reason = "token"    // not the server's word: the provider gives no token now; waiting helps
	ReasonNoServer Reason = "noserver" // not the server's word: no [[server]] takes mail from this sender
	ReasonReturned Reason = "returned" // not the server's word: a person returned the message
	// ReasonRate: not the server's word: a rate or a [[limit]] of ours is used up. The
	// recipient was not asked for and stays due; no event holds it.
	ReasonRate Reason = "rate"
	// ReasonRelayed, of what was delivered: the sender asked for a report of success, and the
	// server does not report it (it offers no DSN, RFC 3461). So we say how far we saw it.
	ReasonRelayed Reason = "relayed"
)

// Reply is what a server said, or what happened instead of an answer.
type Reply struct {
	Server   string    `json:"server,omitempty"` // "1", "2", "google", "microsoft"; empty: no server was asked
	Host     string    `json:"host,omitempty"`   // name of that server, for Remote-MTA
	Code     int       `json:"code,omitempty"`   // 200 to 599; 0: Text is our own description of what went wrong
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text,omitempty"` // one line, printable, secrets masked
	At       time.Time `json:"at,omitzero"`
}

// String is the reply for a log or a person: `550 5.1.1 no such user`.
func (r Reply) String() string {
	var parts []string
	if r.Code != 0 {
		parts = append(parts, strconv.Itoa(r.Code))
	}
	if r.Enhanced != "" {
		parts = append(parts, r.Enhanced)
	}
	if r.Text != "" {
		parts = append(parts, r.Text)
	}
	return strings.Join(parts, " ")
}

// Outcome is the one answer to "what became of it", used alike by retry,
// failover, log, return and server test.
type Outcome struct {
	Class  Class  `json:"class"`
	Scope  Scope  `json:"scope,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	Reply  Reply  `json:"reply,omitzero"`
}

// NeedsPerson reports whether waiting cannot help: the account's secret or the permission to
// send as the sender is wrong, the account is shut or not verified, or no server takes mail
// from the sender. Such mail is not returned for age.
func (o Outcome) NeedsPerson() bool {
	switch o.Reason {
	case ReasonAuth, ReasonSecret, ReasonSendAs, ReasonIdentity, ReasonAccount, ReasonNoServer:
		return true
	}
	return false
}

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
	// DSN is what the sender asked for these recipients, for the server; nil: nothing.
	DSN *DSNParams
	// Report: it is about another message, and goes out by the servers of its recipient, the
	// sender of that one.
	Report bool
	// RefusalFinal: if every server refuses it as a whole, it has failed, though the words
	// may mean the account. It was refused twice before, or goes out again in another form.
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
	// Limited: a day's quota or a [[limit]] is used up. The message stays due.
	Limited Wait = "limit"
	// Stopped: the run was ended before any server took or refused the message. It
	// stays due.
	Stopped Wait = "stopped"
)

// Delivery is what became of a Message.
type Delivery struct {
	Wait  Wait
	Until time.Time // with NoServer or Limited: not before then; may be zero
	// QuotaExhausted, with Limited: the day's quota of the only way out is used up, so that
	// no message can be sent before Until.
	QuotaExhausted bool
	// Outcomes holds one outcome for each recipient, in order; those with ReasonRate stay
	// due. With NoServer it holds the failure that paused the last server, for the message's
	// last error; with Limited, which limit it was.
	Outcomes []Outcome
	// Skipped are the failures on the way to the server that answered, one for each server
	// skipped in this attempt, for the history.
	Skipped []Outcome
	// ServesAccount, if set, says that the message was deferred only because it is not known whether
	// it or the account was refused (ReasonRefused, ReasonSender). Called at the end of the run,
	// it reports whether the server accepted another message meanwhile: then it was the message.
	ServesAccount func() bool
}
