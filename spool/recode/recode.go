package recode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line that SMTP carries, in octets without its CRLF
// (RFC 5321 section 4.5.3.1.6).
const MaxLine = 998

// maxDepth bounds how deep parts lie within parts. Real mail knows six or seven.
const maxDepth = 40

// Errors: what would have to change may not.
var (
	// ErrSigned: a part whose octets must stay as they are, because it is signed or
	// encrypted (RFC 1847).
	ErrSigned = errors.New("a part that must not be changed would have to be re-encoded")
	// ErrHeader: a header line is too long, and can neither be folded nor encoded.
	ErrHeader = errors.New("a header line would have to be changed")
)

// Options says what the message has to fit, besides lines of at most MaxLine. What is
// re-encoded has lines of 76 at most (RFC 2045 section 6.7).
type Options struct {
	// SevenBit: no octet over 127 may remain, neither in a body nor in a header.
	SevenBit bool
	// Header: none may remain in the message's own header (RFC 6532 allows them with SMTPUTF8
	// alone). DowngradeField says what becomes of them.
	Header bool
	// From is an address for a From field that has none which can be written; empty: none.
	From string
	// Fields: the fields of parts, such as the name of a file, are encoded where they have
	// octets over 127, whatever else may stay. In what is signed they stay.
	Fields bool
}

// Recode writes the message of size octets in r to w, changed as little as o asks.
// The message is in canonical form: CRLF line ends only. The errors are those of r
// and w, ErrSigned and ErrHeader; after an error what was written is of no use.
func Recode(w io.Writer, r io.ReaderAt, size int64, o Options) error {
	k := &walker{
		Options: o,
		src:     newSource(r, size),
		out:     output{bufio.NewWriterSize(w, int(min(size+512, 32<<10)))},
		octets:  bufio.NewReaderSize(nil, 512),
	}
	if _, err := k.entity(0, position{root: true}); err != nil {
		return err
	}
	return k.out.Flush()
}

// walker is one walk over a message.
type walker struct {
	Options
	src    *source
	out    output
	bounds boundaries
	depth  int
	octets *bufio.Reader // for mendLine
}

// output keeps the first error of its writer: the small writes do not ask for it, the
// large ones and Flush do.
type output struct{ *bufio.Writer }

func (o output) octet(c byte) { _ = o.WriteByte(c) }

func (o output) text(s string) { _, _ = o.WriteString(s) }

func (o output) octets(b []byte) { _, _ = o.Write(b) }

// failed is that error.
func (o output) failed() error {
	_, err := o.Write(nil)
	return err
}

// position says where an entity stands, which decides what its header leaves unsaid.
type position struct {
	root   bool // a message of its own, not a part of a multipart
	digest bool // in a multipart/digest: no type means message/rfc822
}

// entity writes the entity that begins at off. It returns where the delimiter that
// ends it begins, or the size of the message.
func (k *walker) entity(off int64, in position) (int64, error) {
	h, err := k.readHeader(off, in)
	if err != nil {
		return 0, err
	}
	k.depth++
	defer func() { k.depth-- }()
	deep := k.depth > maxDepth
	switch {
	case h.kind.sealed() || deep && h.kind.composite():
		return k.sealed(h)
	case h.kind.major == "multipart" && h.kind.boundary != "":
		has, err := k.hasParts(h)
		if err != nil {
			return 0, err
		}
		if has {
			return k.multipart(h)
		}
	case h.kind.holdsMessage() && h.encoding == identity:
		return k.message(h)
	}
	return k.leaf(h)
}

// sealed writes an entity whose content must stay as it is.
func (k *walker) sealed(h *header) (int64, error) {
	e, err := k.extent(h.body)
	if err != nil {
		return 0, err
	}
	if why := k.unfit(e); why != "" {
		return 0, fmt.Errorf("%w: %s has %s", ErrSigned, h.kind, why)
	}
	if err := k.copyHeader(h, h.start, h.body); err != nil {
		return 0, err
	}
	return e.next, k.copy(h.body, e.next)
}

// message writes an entity that holds a message.
func (k *walker) message(h *header) (int64, error) {
	if err := k.writeHeader(h, k.relabelled(h)); err != nil {
		return 0, err
	}
	return k.entity(h.body, position{root: true})
}

// hasParts reports whether a multipart's delimiter is in it at all.
func (k *walker) hasParts(h *header) (bool, error) {
	k.bounds = append(k.bounds, h.kind.boundary)
	e, err := k.extent(h.body)
	k.bounds = k.bounds[:len(k.bounds)-1]
	return e.found && e.level == len(k.bounds), err
}

// multipart writes an entity of parts. Nothing in it is kept in memory.
func (k *walker) multipart(h *header) (int64, error) {
	if err := k.writeHeader(h, k.relabelled(h)); err != nil {
		return 0, err
	}
	level := len(k.bounds)
	k.bounds = append(k.bounds, h.kind.boundary)
	off, err := k.filler(h.body)
	for err == nil {
		var d delimiter
		if d, err = k.delimiterAt(off); err != nil {
			break
		}
		if !d.found || d.level < level {
			k.bounds = k.bounds[:level]
			return off, nil
		}
		if err = k.writeDelimiter(d); err != nil {
			break
		}
		if d.closing {
			k.bounds = k.bounds[:level]
			return k.filler(d.line.next)
		}
		off, err = k.entity(d.line.next, position{digest: h.kind.minor == "digest"})
	}
	return 0, err
}

// copy writes the octets from off to end.
func (k *walker) copy(off, end int64) error {
	return k.src.each(off, end, func(b []byte) error {
		_, err := k.out.Write(b)
		return err
	})
}
