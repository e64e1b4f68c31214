package dkim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"notices/spool/recode"
)

// Limits of what is kept of a message while it is signed, in octets. Intake takes headers of
// 1 MiB; no message that a person wrote comes near the second one.
const (
	MaxHeader = 4 << 20
	MaxBlank  = 1 << 20 // empty lines one after the other
)

// ErrUnsignable is the error for a message that has a longer header or more empty lines one
// after the other than are kept in memory.
var ErrUnsignable = errors.New("the message cannot be signed for [dkim]")

// errNoSignature ends the reading of a message that gets no signature.
var errNoSignature = errors.New("no signature is wanted")

// Signer signs for one domain with one key. It may be used by many goroutines.
type Signer struct {
	domain, selector string // lower case, xn-- form
	key              *Key
}

// NewSigner makes a signer for d=domain and s=selector (RFC 6376 section 3.5). The domain
// may be written in its own script.
func NewSigner(domain, selector string, key *Key) (*Signer, error) {
	d, err := asciiName(domain)
	if err != nil {
		return nil, fmt.Errorf("domain %q: %w", domain, err)
	}
	s, err := asciiName(selector)
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", selector, err)
	}
	return &Signer{domain: d, selector: s, key: key}, nil
}

// asciiName is a domain or a selector as it stands in a signature and in the DNS.
func asciiName(name string) (string, error) {
	address, err := recode.ASCIIDomain("x@" + strings.TrimSuffix(name, "."))
	if err != nil {
		return "", err
	}
	ascii := strings.ToLower(strings.TrimPrefix(address, "x@"))
	for label := range strings.SplitSeq(ascii, ".") {
		bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, bad) {
			return "", errors.New("this is not a name that the DNS can have; labels are of a-z, 0-9 and -")
		}
	}
	if len(ascii) > 200 {
		return "", errors.New("this name is too long for the DNS")
	}
	return ascii, nil
}

// Sign returns the DKIM-Signature field, with its line end, that goes before a message; it is
// empty for a message that gets none. message writes the message as it will go out, in pieces
// of at most 64 KiB or so; Sign calls it once. changed: the message was re-encoded for this
// server, so that signatures in it are void.
func (s *Signer) Sign(message func(io.Writer) error, changed bool) (field string, err error) {
	r := &reader{signer: s, changed: changed}
	err = message(r)
	if err == nil {
		err = r.end()
	}
	if r.signature != nil {
		err = errors.Join(err, r.signature.Close())
	}
	switch {
	case errors.Is(err, errNoSignature):
		return "", nil
	case err != nil:
		return "", err
	}
	return r.signature.Signature(), nil
}

// reader takes a message: its header until it is complete, then the rest on to the signature.
type reader struct {
	signer    *Signer
	changed   bool
	header    []byte
	signature *msgauth.Signer // once the header is complete
	blank     int             // octets of line ends since the last line that has text
}

// Write takes the next piece of the message.
func (r *reader) Write(p []byte) (int, error) {
	if r.signature != nil {
		return r.body(p)
	}
	from := max(0, len(r.header)-len(emptyLine)+1)
	r.header = append(r.header, p...)
	end := headerEnd(r.header, from)
	switch {
	case end > MaxHeader, end < 0 && len(r.header) > MaxHeader:
		return 0, fmt.Errorf("%w: its header is longer than %d octets", ErrUnsignable, MaxHeader)
	case end < 0:
		return len(p), nil
	}
	rest := r.header[end:]
	if err := r.begin(r.header[:end]); err != nil {
		return 0, err
	}
	_, err := r.body(rest)
	return len(p), err
}

var emptyLine = []byte("\r\n\r\n")

// headerEnd is where the body begins; -1: not yet known. Octets before from were looked at.
func headerEnd(p []byte, from int) int {
	if bytes.HasPrefix(p, emptyLine[:2]) {
		return 2
	}
	if i := bytes.Index(p[from:], emptyLine); i >= 0 {
		return from + i + len(emptyLine)
	}
	return -1
}

// end ends a message that is perhaps only a header: the empty line behind it stands for a
// body without text (RFC 5322 section 3.5).
func (r *reader) end() error {
	if r.signature != nil {
		return nil
	}
	if !bytes.HasSuffix(r.header, emptyLine[:2]) {
		r.header = append(r.header, '\r', '\n')
	}
	return r.begin(append(r.header, '\r', '\n'))
}

func (r *reader) begin(header []byte) error {
	s := r.signer
	h := readFields(header)
	if header[0] == ' ' || header[0] == '\t' {
		return errNoSignature // it has no header: what it begins with would continue our field
	}
	if !h.from(s) || !r.changed && h.signedBy(s.domain) {
		return errNoSignature
	}
	var err error
	if r.signature, err = msgauth.NewSigner(&msgauth.SignOptions{
		Domain:                 s.domain,
		Selector:               s.selector,
		Signer:                 s.key.private,
		HeaderCanonicalization: msgauth.CanonicalizationRelaxed,
		BodyCanonicalization:   msgauth.CanonicalizationRelaxed,
		HeaderKeys:             h.signed(),
	}); err != nil {
		return err
	}
	_, err = r.signature.Write(header)
	return err
}

func (r *reader) body(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	const blanks = " \t\r\n"
	text := bytes.TrimLeft(p, blanks)
	r.blank += len(p) - len(text)
	if r.blank > MaxBlank {
		return 0, fmt.Errorf("%w: it has more than %d octets of empty lines one after the other", ErrUnsignable, MaxBlank)
	}
	if len(text) > 0 {
		r.blank = len(text) - len(bytes.TrimRight(text, blanks))
	}
	return r.signature.Write(p)
}
