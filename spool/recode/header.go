package recode

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxField is how much of a Content-Type or Content-Transfer-Encoding is looked at.
const maxField = 16 << 10

// span is a field in the message, with its line ends.
type span struct{ start, end int64 }

// header is what matters of an entity's header.
type header struct {
	start, end int64 // end: of the last field
	body       int64
	position   position

	mime     bool // has a MIME-Version
	kind     kind
	encoding encoding
	wide     bool   // the encoding announces octets over 127
	labels   []span // the Content-Transfer-Encoding; in bad mail several
	types    []span // the Content-Type, likewise
	unfit    bool   // a field has to be folded or encoded
}

// readHeader reads the header that begins at off. It ends at an empty line, or where
// no field begins, or at a delimiter.
func (k *walker) readHeader(off int64, in position) (*header, error) {
	h := &header{start: off, end: off, body: off, position: in}
	var f fields
	for h.body < k.src.size {
		l, err := k.src.line(h.body)
		if err != nil {
			return nil, err
		}
		if l.length == 0 {
			h.body = l.next
			break
		}
		if k.bounds.delimits(l).found || !f.take(h, l) {
			break
		}
		h.unfit = h.unfit || l.length > MaxLine || l.eightBit && (k.SevenBit || k.Fields && !in.root || k.Header && off == 0)
		h.end, h.body = l.next, l.next
	}
	h.kind = parseKind(f.kind)
	switch {
	case h.kind.major != "":
	case in.digest:
		h.kind = kind{major: "message", minor: "rfc822"}
	default:
		h.kind = kind{major: "text", minor: "plain"}
	}
	h.encoding, h.wide = parseEncoding(f.encoding)
	return h, nil
}

// fields collects the values that are needed, unfolded. The first of a name counts.
type fields struct {
	kind, encoding string
	current        *string // the one that a continuation line belongs to
	label          *[]span // the field that it belongs to, if that may be replaced
	any            bool
}

// take adds a header line, and returns false if it is not one.
func (f *fields) take(h *header, l line) bool {
	if l.head[0] == ' ' || l.head[0] == '\t' {
		if !f.any {
			return false
		}
		if f.label != nil {
			(*f.label)[len(*f.label)-1].end = l.next
		}
		f.add(l.head)
		return true
	}
	head, value, ok := CutField(l.head)
	if !ok {
		return false
	}
	f.any, f.current, f.label = true, nil, nil
	switch name := string(head); {
	case strings.EqualFold(name, "Content-Type"):
		f.label = &h.types
		h.types = append(h.types, span{l.start, l.next})
		if len(h.types) == 1 {
			f.current = &f.kind
		}
	case strings.EqualFold(name, "Content-Transfer-Encoding"):
		f.label = &h.labels
		h.labels = append(h.labels, span{l.start, l.next})
		if len(h.labels) == 1 {
			f.current = &f.encoding
		}
	case strings.EqualFold(name, "MIME-Version"):
		h.mime = true
	}
	f.add(value)
	return true
}

func (f *fields) add(text []byte) {
	if f.current != nil && len(*f.current)+len(text) <= maxField {
		*f.current += string(text)
	}
}

// CutField splits the first line of a field at the colon. A name is printable ASCII (RFC 5322
// section 2.2); blanks behind it are obsolete (section 4.5.3) and still met.
func CutField(line []byte) (name, value []byte, ok bool) {
	name, value, ok = bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, nil, false
	}
	return name, value, true
}

// edit is what is to change in a header.
type edit struct {
	label    string // new Content-Transfer-Encoding; empty: no change at all
	mime     bool   // add a MIME-Version
	textType string // the new Content-Type
}

// relabelled is the edit for an entity that is not encoded: after a walk for seven
// bits nothing in it is wider, and it may not say so (RFC 2045 section 6.4).
func (o *Options) relabelled(h *header) edit {
	if o.SevenBit && h.wide && h.encoding == identity && len(h.labels) > 0 {
		return edit{label: "7bit"}
	}
	return edit{}
}

// writeHeader writes the header, the empty line behind it too.
func (k *walker) writeHeader(h *header, e edit) error {
	if e.label == "" {
		return k.copyHeader(h, h.start, h.body)
	}
	gone := h.labels
	if e.textType != "" {
		gone = slices.Concat(gone, h.types)
		slices.SortFunc(gone, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	}
	label := "Content-Transfer-Encoding: " + e.label + "\r\n"
	off := h.start
	for _, s := range gone {
		if err := k.copyHeader(h, off, s.start); err != nil {
			return err
		}
		off = s.end
		if slices.Contains(h.labels, s) {
			k.out.text(label)
			label = ""
		}
	}
	if err := k.copyHeader(h, off, h.end); err != nil {
		return err
	}
	if e.mime {
		k.out.text("MIME-Version: 1.0\r\n")
	}
	if e.textType != "" {
		k.out.text("Content-Type: " + e.textType + "\r\n")
	}
	k.out.text(label)
	if h.end == h.body && e.label != "7bit" {
		// The body began without an empty line; behind a new field it needs one.
		k.out.text("\r\n")
		return k.out.failed()
	}
	return k.copy(h.end, h.body)
}

// maxHeader is the longest header that is looked at when a field in it is unfit.
const maxHeader = 1 << 20

// copyHeader writes the fields from off to end, and what follows them. Fields that are
// unfit are folded or encoded.
func (k *walker) copyHeader(h *header, off, end int64) error {
	if !h.unfit {
		return k.copy(off, end)
	}
	if end-off > maxHeader {
		return fmt.Errorf("%w: it is longer than %d octets", ErrHeader, maxHeader)
	}
	text := make([]byte, 0, end-off)
	if err := k.src.each(off, end, func(b []byte) error { text = append(text, b...); return nil }); err != nil {
		return err
	}
	from := k.From
	if h.start > 0 {
		from = "" // it is for the message's own header
	}
	for len(text) > 0 {
		raw := firstField(text)
		text = text[len(raw):]
		switch {
		case k.SevenBit, k.Header && h.start == 0:
			raw = DowngradeField(raw, from)
		case k.Fields:
			// A text of the same message quotes a Content-ID, octet by octet.
			if name, _, _ := CutField(raw); !strings.EqualFold(string(name), "Content-ID") {
				raw = EncodeField(raw)
			}
		}
		fit, err := FitField(raw)
		if err != nil {
			return err
		}
		k.out.octets(fit)
	}
	return k.out.failed()
}

// firstField is the field that a header begins with, with its continuation lines.
func firstField(header []byte) []byte {
	for end := 0; ; {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			return header
		}
		end += i + 1
		if end == len(header) || header[end] != ' ' && header[end] != '\t' {
			return header[:end]
		}
	}
}
