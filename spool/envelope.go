package spool

import (
	"slices"
	"strings"
	"time"
)

// Form says how a message is treated when it cannot be delivered.
type Form string

// Forms. A return never begets a return.
const (
	Ordinary Form = ""
	// Report is a return or a delay warning: null sender; undeliverable it goes to failed/.
	Report Form = "report"
	// PlainReport is a Report whose null sender a server refused: it goes out once
	// more from the site's address and is itself never returned.
	PlainReport Form = "plain-report"
)

// Envelope is what is fixed when a message is queued.
type Envelope struct {
	ID         ID       `json:"id"`
	Sender     string   `json:"sender"` // reverse-path without < >; empty: the null sender
	Recipients []string `json:"recipients"`
	// ReturnTo is where returns go when it is not Sender ([site] rewrite_from).
	ReturnTo string    `json:"return_to,omitempty"`
	QueuedAt time.Time `json:"queued_at"`
	// ExpiresAt comes from --expires; zero: [retry] give_up decides.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Ref       string    `json:"ref,omitempty"`        // the caller's own reference, e.g. a patron's number
	MessageID string    `json:"message_id,omitempty"` // with < >, as in the header
	Size      int64     `json:"size"`                 // octets of the stored message: CRLF, added headers
	EightBit  bool      `json:"eight_bit,omitempty"`  // body has octets over 127: wants 8BITMIME
	UTF8      bool      `json:"utf8,omitempty"`       // header or an address has them: needs SMTPUTF8
	Form      Form      `json:"form,omitempty"`

	// What the sender asked for, by the words of RFC 3461 (sendmail -N, -R, -V).
	Notify        string `json:"notify,omitempty"`         // never, or any of failure, delay, success with commas; empty: failure, delay
	ReturnHeaders bool   `json:"return_headers,omitempty"` // of the message only its header comes back
	EnvelopeID    string `json:"envelope_id,omitempty"`    // the sender's own; it comes back in reports
}

// Wants reports whether the sender wants to be told of a failure or a delay.
func (e *Envelope) Wants(word string) bool {
	return e.Notify == "" || slices.Contains(strings.Split(e.Notify, ","), word)
}

// ReturnAddress is where a return goes; empty: nowhere.
func (e *Envelope) ReturnAddress() string {
	if e.Form != Ordinary || !e.Wants("failure") {
		return ""
	}
	if e.ReturnTo != "" {
		return e.ReturnTo
	}
	return e.Sender
}
