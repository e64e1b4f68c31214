package recode

import (
	"encoding/base64"
	"fmt"
)

// leaf writes an entity that has no parts.
func (k *walker) leaf(h *header) (int64, error) {
	e, err := k.extent(h.body)
	if err != nil {
		return 0, err
	}
	why := k.unfit(e)
	if why == "" {
		if err := k.writeHeader(h, k.relabelled(h)); err != nil {
			return 0, err
		}
		return e.next, k.copy(h.body, e.next)
	}
	encode, change, err := k.plan(h, e, why)
	if err != nil {
		return 0, err
	}
	if err := k.writeHeader(h, change); err != nil {
		return 0, err
	}
	if err := encode(h.body, e.end); err != nil {
		return 0, err
	}
	return e.next, k.copy(e.end, e.next)
}

// plan chooses how a leaf is made to fit, and what its header says then.
func (k *walker) plan(h *header, e extent, why string) (encode func(off, end int64) error, change edit, err error) {
	retype := h.position.root && len(h.types) == 0
	switch {
	case h.encoding == quotedPrintable:
		return k.mendQuotedPrintable, edit{}, nil
	case h.encoding == base64Encoding:
		return k.wrapBase64, edit{}, nil
	case h.kind.major == "multipart" && !h.kind.sealed() && k.depth <= maxDepth:
		// Without parts it is nothing but text, and a multipart may not be encoded.
		encode, change.label, retype = k.quotedPrintable, "quoted-printable", true
	case h.kind.unencodable():
		return nil, edit{}, fmt.Errorf("%w: a part of type %s has %s", ErrSigned, h.kind, why)
	case h.kind.major == "text" || h.kind.major == "message":
		encode, change.label = k.quotedPrintable, "quoted-printable"
	default:
		encode, change.label = k.base64, "base64"
	}
	change.mime = h.kind.major != "multipart" && h.position.root && !h.mime
	if retype {
		var charset string
		charset, err = k.src.charset(h.body, e)
		change.textType = "text/plain; charset=" + charset
	}
	return encode, change, err
}

// base64 writes the octets from off to end in base64.
func (k *walker) base64(off, end int64) error {
	w := &wrapper{out: k.out}
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	err := k.src.each(off, end, func(b []byte) error {
		_, err := encoder.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	return w.close(end == k.src.size)
}

// wrapBase64 writes base64 in lines of the right length. What is not of its alphabet
// is left out, as RFC 2045 section 6.8 tells readers to.
func (k *walker) wrapBase64(off, end int64) error {
	w := &wrapper{out: k.out}
	kept := make([]byte, 0, min(end-off, windowSize))
	err := k.src.each(off, end, func(b []byte) error {
		kept = kept[:0]
		for _, c := range b {
			if alphanumeric(c) || c == '+' || c == '/' || c == '=' {
				kept = append(kept, c)
			}
		}
		_, err := w.Write(kept)
		return err
	})
	if err != nil {
		return err
	}
	return w.close(end == k.src.size)
}
