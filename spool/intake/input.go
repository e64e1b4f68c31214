package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"notices/spool/intake/mbox"
)

// maxHeader is the longest header that is taken, in octets.
const maxHeader = 1 << 20

// input reads the message that is given.
type input struct {
	ctx   context.Context
	r     io.Reader
	max   int64  // 0: no limit
	piece []byte // an empty buffer of pieceSize
	buf   []byte // read and not yet taken, mostly in piece
	given int64  // octets read so far
	done  bool   // the reader has no more
}

// fill reads until buf is full or the reader has no more.
func (n *input) fill() error {
	for idle := 0; !n.done && len(n.buf) < cap(n.buf); {
		if err := n.ctx.Err(); err != nil {
			return err
		}
		got, err := n.r.Read(n.buf[len(n.buf):cap(n.buf)])
		n.buf = n.buf[:len(n.buf)+got]
		n.given += int64(got)
		if idle++; got > 0 {
			idle = 0
		}
		switch {
		case err == io.EOF:
			n.done = true
		case errors.As(err, new(mbox.Error)):
			return badMessage("%s", err)
		case err != nil:
			return fmt.Errorf("reading the message: %w", err)
		case idle == 100:
			return fmt.Errorf("reading the message: %w", io.ErrNoProgress)
		}
		if n.max > 0 && n.given > n.max {
			return n.tooLarge()
		}
	}
	return nil
}

// tooLarge reads on to say how large the message is, but not without end.
func (n *input) tooLarge() error {
	rest, err := io.Copy(io.Discard, io.LimitReader(n.r, 8*n.max))
	size := fmt.Sprint(n.given + rest)
	if err != nil || rest == 8*n.max {
		size = "more than " + size
	}
	return badMessage("the message has %s octets; max_message_size in [spool] of the config allows %d", size, n.max)
}

// header reads up to the end of the header. What was read beyond it stays in buf.
func (n *input) header(lenient bool) (*header, error) {
	n.buf = n.piece
	if err := n.fill(); err != nil {
		return nil, err
	}
	if len(n.buf) == 0 && !lenient {
		return nil, badMessage("the message is empty")
	}
	if bytes.IndexByte(n.buf, '\n') < 0 {
		// Line ends of an old Macintosh, or none at all.
		for i, c := range n.buf {
			if c == '\r' {
				n.buf[i] = '\n'
			}
		}
	}
	for {
		h, err := parseHeader(n.buf, n.done, lenient)
		if err != nil && err != errMore {
			return nil, err
		}
		if err == nil && h.size <= maxHeader {
			n.buf, h.in = n.buf[h.size:], nil
			return h, nil
		}
		if len(n.buf) > maxHeader {
			return nil, badMessage("the header of the message is longer than %d octets: is the empty line missing that ends it?", maxHeader)
		}
		n.buf = append(make([]byte, 0, 2*cap(n.buf)), n.buf...)
		if err := n.fill(); err != nil {
			return nil, err
		}
	}
}

// each hands on what follows the header.
func (n *input) each(do func([]byte) error) error {
	for {
		if err := do(n.buf); err != nil || n.done {
			return err
		}
		n.buf = n.piece
		if err := n.fill(); err != nil {
			return err
		}
	}
}
