package spool

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
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

// Bounds of one message, whatever way it comes in: what is taken in can always be read
// again, in bounded memory.
const (
	// MaxRecipients is how many recipients a message may have.
	MaxRecipients = 50_000
	// MaxRecipientRoom is how many octets they may take, with what is to be told of each, as
	// RecipientRoom counts. 50,000 of the longest addresses fit.
	MaxRecipientRoom = 32 << 20
)

// RecipientRoom is at most what a recipient takes in an envelope, in octets: in JSON no octet
// that passes CheckAddress, CheckNotify and CheckOriginal becomes more than two, and no other
// one more than six.
func RecipientRoom(address, notify, original string) int {
	each := 2
	if CheckAddress(address) != nil {
		each = 6
	}
	return each*len(address) + 2*(len(notify)+len(original)) + len(`"",`)*3
}

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
	UTF8      bool      `json:"utf8,omitempty"`       // the header or a local part has them: SMTPUTF8 where it is offered
	Form      Form      `json:"form,omitempty"`

	DSNParams // what the sender wants to be told

	// ImportKeys are what an import that is run again knows the message by.
	ImportKeys []ImportKey `json:"import,omitempty"`
}

// ImportKey says what an imported message was made of: a hash of its content, and of how
// many like it came before. A store does not look into it.
type ImportKey [16]byte

// MarshalText writes the key in hexadecimal.
func (k ImportKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *ImportKey) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(k)) {
		return errors.New("an import key has 32 hexadecimal digits")
	}
	_, err := hex.Decode(k[:], text)
	return err
}

// ReturnAddress is where reports go; empty: nowhere. Whether they are wanted is for
// Asked to say.
func (e *Envelope) ReturnAddress() string {
	if e.Form != Ordinary {
		return ""
	}
	if e.ReturnTo != "" {
		return e.ReturnTo
	}
	return e.Sender
}

// AppendJSON appends v as a line of JSON, the form that an envelope has in a sidecar and in
// a file that was handed in. <id@host> stays as people read it.
func AppendJSON(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}
