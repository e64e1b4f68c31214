// Package returns takes in late returns: the mail in which another server says that it could
// not deliver a message after all, though it, or a server before it, had accepted it from us.
//
//	read.go   takes a message apart (MIME), in bounded time and memory
//	dsn.go    reads delivery status notifications (RFC 3464, RFC 6533)
//	forms.go  reads the returns of programs that write only words, by a table of phrases
//	words.go  reads those in any other words or language, by one rule
//	text.go   reads the words of a server: code, enhanced status code, text
//	match.go  collects returns, and writes that the history entries they are about bounced
//	index.go  finds those entries
//
// Anybody can send such mail. So a return needs a sign of a mail system: its sender, the null return
// path or the form of a report. A return that somebody forwards has to have an id, too. And nothing is
// believed that the history does not confirm: a return is about one message of ours, named by an
// id that only those know who saw it, and about recipients of that message. See Matcher for the rules.
// What is no return, and what is not about us, is left alone.
//
// No more than MaxRead octets of a message are looked at, 8 levels of parts, 1,000 parts and 10,000
// recipients. Returns carry the status before the message that they return, so nothing is lost.
package returns

import (
	"time"

	"notices/spool"
)

// Kind says what a message is.
type Kind string

// Kinds of messages. A return that failed for one recipient and is delayed for another is Failed.
const (
	NotReturn Kind = "not a return"
	Failed    Kind = "failed"     // it could not be delivered to at least one recipient
	Delayed   Kind = "delayed"    // it is still being tried
	Succeeded Kind = "succeeded"  // a report of success, RFC 3464 section 2.3.3
	AutoReply Kind = "auto-reply" // a person is away, RFC 3834
	Receipt   Kind = "receipt"    // it was read or deleted, RFC 8098
	Complaint Kind = "complaint"  // a reader called it spam, RFC 5965
)

// Return is what Parse found in a message. All text in it is one printable line.
type Return struct {
	Kind       Kind
	Form       string      // how it was recognized: "dsn", or the name of a form of words
	Recipients []Recipient // of Failed and Delayed
	// At is when it was made: its Date; zero if it has none that can be read.
	At           time.Time
	From         string // the address in From, or empty; for a person who looks for the message
	ReportingMTA string // a host's name, or empty
	// EnvelopeID is Original-Envelope-Id: the ENVID that the message was sent with.
	EnvelopeID string
	// QueueID is X-Notices-Queue-ID: the return was written by a notices, perhaps by us.
	QueueID spool.ID
	// Addressees are where it was sent to: To, Delivered-To and the like, and the sender of the
	// message that it returns. IDs are the queue ids in them (VERP): what stands behind a +.
	Addressees []string
	IDs        []spool.ID
	// MessageIDs are of the message that it returns, with < >: from its header, or else from the
	// delivery status, or else from In-Reply-To and References of the return.
	MessageIDs []string
}

// Recipient is what a return says of one recipient.
type Recipient struct {
	Final    string // the address that failed, perhaps behind an alias or a forward; may be empty
	Original string // as the sender of the message wrote it; may be empty
	Kind     Kind   // Failed, Delayed or Succeeded
	Status   string // enhanced status code (RFC 3463) or empty
	Code     int    // of the SMTP reply; 0: unknown
	Text     string // the words of the server
	// RemoteMTA is the host that refused the message, or empty.
	RemoteMTA string
	At        time.Time // of the last attempt; zero: unknown
}
