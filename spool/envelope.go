package spool

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Form says how a message is treated when it cannot be delivered.
type Form string

// Forms. A report is never itself returned.
const (
	Ordinary Form = ""
	// Report is a return or another report. It has the null sender, and goes to failed/ if
	// it cannot be delivered.
	Report Form = "report"
	// PlainReport is a Report whose null sender a server refused: it goes out once more,
	// from the site's address.
	PlainReport Form = "plain-report"
)

// Limits of one message, whatever way it comes in, so that it can always be read again in
// bounded memory.
const (
	// MaxRecipients is how many recipients a message may have.
	MaxRecipients = 50_000
	// MaxRecipientRoom is how many octets they may take, with NOTIFY and ORCPT of each, as
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
	// ReturnTo is where returns go when it is not Sender ([site] rewrite_from, a hosted site).
	ReturnTo string    `json:"return_to,omitempty"`
	QueuedAt time.Time `json:"queued_at"`
	// ExpiresAt comes from --expires; zero: [retry] give_up decides.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Ref       string    `json:"ref,omitempty"`        // the caller's own reference, e.g. a patron's number
	Site      string    `json:"site,omitempty"`       // the site that it is from or for, at a service; else empty
	MessageID string    `json:"message_id,omitempty"` // with < >, as in the header
	Size      int64     `json:"size"`                 // octets of the stored message: CRLF, added headers
	EightBit  bool      `json:"eight_bit,omitempty"`  // body has octets over 127: wants 8BITMIME
	UTF8      bool      `json:"utf8,omitempty"`       // the header or a local part has them: SMTPUTF8 where it is offered
	Form      Form      `json:"form,omitempty"`

	DSNParams // which reports the sender asked for

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

// ReturnAddress is where reports go; empty: nowhere. DSNParams says whether they are wanted.
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

// ID names a message in the spool. It is a file name, an argument and a log
// field, so its alphabet is A-Za-z0-9._- and it starts with a letter or digit.
type ID string

// MaxIDLength keeps ".ID,EXPIRES,TIME,STATE" well within the 255 octets of a file name.
const MaxIDLength = 100

// Crockford's base 32: no I, L, O or U to misread on paper, and it sorts by value.
const idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Digits of an id.
const (
	idTime   = 11 // microseconds since 1970
	idLength = 16 // the rest is random
)

// NewID returns an id that sorts by time: eleven digits of microseconds since 1970,
// then five random ones, so that machines that share a spool do not collide.
func NewID(now time.Time) ID {
	var b [idLength]byte
	putBase32(b[:idTime], uint64(now.UnixMicro()))
	// An id is no secret. The runtime's source is seeded by the system and costs no
	// start-up; crypto/rand's first use would set up timers and the poller.
	putBase32(b[idTime:], rand.Uint64())
	return ID(b[:])
}

// putBase32 writes the low 5*len(dst) bits of v.
func putBase32(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = idAlphabet[v&31]
		v >>= 5
	}
}

// Valid reports whether id can name a message. Every id that comes from outside
// (an argument, a file name) is checked before it becomes part of a path.
func (id ID) Valid() bool {
	if id == "" || len(id) > MaxIDLength {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// HandedIn is when the message of that id was handed in, which was queued at that time. A return or
// another report of ours has the id of the message that it is about, and something behind it: of these
// it is when that message was handed in. With it mail belongs to the site that had its name then.
func (id ID) HandedIn(queued time.Time) time.Time {
	if len(id) == idLength || !id.Generated() {
		return queued
	}
	var micros int64
	for _, digit := range []byte(id[:idTime]) {
		micros = micros<<5 | int64(strings.IndexByte(idAlphabet, digit))
	}
	if of := time.UnixMicro(micros).UTC().Truncate(time.Second); of.Before(queued) {
		return of
	}
	return queued
}

// Generated reports whether id is one of NewID's, or derived from one: a file of
// that name is ours, and any other is not.
func (id ID) Generated() bool {
	s := string(id)
	if i := strings.IndexAny(s, "-."); i >= 0 {
		s = s[:i]
	}
	return len(s) == idLength && strings.Trim(s, idAlphabet) == ""
}

// MadeAt is when NewID returned a generated id, by the clock of then.
func (id ID) MadeAt() time.Time {
	var us int64
	for i := range min(len(id), 11) {
		us = us<<5 | int64(strings.IndexByte(idAlphabet, id[i])&31)
	}
	return time.UnixMicro(us)
}

// Return is the id under which the return for attempt n of id is stored. It is
// derived, so that a return that is stored again after a crash replaces nothing and adds nothing.
func (id ID) Return(n int) ID { return id + ID("-"+strconv.Itoa(n)) }

// Original takes a return's id apart again.
func (id ID) Original() (original ID, n int, ok bool) {
	i := strings.LastIndexByte(string(id), '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(string(id[i+1:]))
	return id[:i], n, err == nil && n > 0
}

// CheckAddress reports what is wrong with an envelope address, local@domain
// without < >: RFC 5321 4.1.2, internationalised by RFC 6531. The limits are
// those of RFC 5321 4.5.3.1. Nothing that passes can leave the < > of an SMTP
// command: no control character, no space or bracket outside a quoted local part.
func CheckAddress(address string) error {
	if !utf8.ValidString(address) {
		return fmt.Errorf("address %q is not UTF-8", address)
	}
	for _, r := range address {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("address %q has a control character", address)
		}
		if r >= utf8.RuneSelf && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) && r != 0x200c && r != 0x200d) {
			return fmt.Errorf("address %q has a character that does not show", address)
		}
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return fmt.Errorf("address %q has no @", address)
	}
	local, domain := address[:at], address[at+1:]
	if len(address) > 254 || len(local) > 64 {
		return fmt.Errorf("address %q is too long", address)
	}
	if !validLocal(local) {
		return fmt.Errorf("address %q: malformed before the @", address)
	}
	if !validDomain(domain) {
		return fmt.Errorf("address %q: malformed after the @", address)
	}
	return nil
}

func validLocal(local string) bool {
	if strings.HasPrefix(local, `"`) {
		return validQuoted(local)
	}
	// Dots in a row and at the ends break RFC 5321, and yet such mailboxes are alive:
	// Japanese carriers gave them out. Postfix takes them, too.
	bare := strings.ReplaceAll(local, ".", "")
	return bare != "" && !strings.ContainsFunc(bare, notAtext)
}

func notAtext(r rune) bool {
	return r < utf8.RuneSelf && !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// validQuoted takes a quoted-string. `<` and `>` inside are legal, but too many
// servers scan for them: they are refused.
func validQuoted(s string) bool {
	if len(s) < 3 || !strings.HasSuffix(s, `"`) || strings.ContainsAny(s, "<>") {
		return false
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(s) {
				return false
			}
		}
	}
	return true
}

func validDomain(domain string) bool {
	if strings.HasPrefix(domain, "[") {
		return validLiteral(domain)
	}
	for label := range strings.SplitSeq(strings.Map(asciiDot, domain), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r < utf8.RuneSelf && !isAlphanumeric(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

// asciiDot maps the other characters that IDNA takes for a dot (UTS 46).
func asciiDot(r rune) rune {
	if r == '\u3002' || r == '\uff0e' || r == '\uff61' {
		return '.'
	}
	return r
}

func validLiteral(domain string) bool {
	inner, ok := strings.CutSuffix(domain[1:], "]")
	if !ok {
		return false
	}
	if v6, ok := strings.CutPrefix(inner, "IPv6:"); ok {
		return net.ParseIP(v6) != nil && strings.Contains(v6, ":")
	}
	return net.ParseIP(inner).To4() != nil && !strings.Contains(inner, ":")
}
