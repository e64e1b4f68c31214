package drop

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"strconv"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// A file in drop/ is a head of one line, the message, and the envelope, a JSON object
// as it stands in a sidecar:
//
//	notices-drop 1 BODY ENVELOPE SUM
//
// BODY and ENVELOPE are their lengths in octets, SUM is FNV-1a of 64 bits over both,
// all in 16 hexadecimal digits. The envelope comes last because a message is written
// as it is read, and only its end is the end of what is known of it.
const (
	magic    = "notices-drop 1 "
	digits   = 16
	headSize = len(magic) + 3*(digits+1)
)

// maxEnvelope is the longest envelope, in octets: the recipients, and what else a message with
// a header of 1 MiB can bring.
const maxEnvelope = spool.MaxRecipientRoom + 4<<20

// letter is a file in drop/, taken apart. All of it is somebody else's word.
type letter struct {
	env  spool.Envelope
	body *bodyReader
}

// head makes the first line.
func head(body, envelope int64, sum uint64) []byte {
	return fmt.Appendf(make([]byte, 0, headSize), "%s%016x %016x %016x\n", magic, body, envelope, sum)
}

// parseHead reads what head made, for a file of that size.
func parseHead(b []byte, size int64) (body, envelope int64, sum uint64, err error) {
	if len(b) != headSize || string(b[:len(magic)]) != magic {
		return 0, 0, 0, errors.New("not a message that notices handed in")
	}
	var numbers [3]uint64
	for i := range numbers {
		field := b[len(magic)+i*(digits+1):][:digits+1]
		n, err := strconv.ParseUint(string(field[:digits]), 16, 64)
		if end := field[digits]; err != nil || end != " \n"[i/2] {
			return 0, 0, 0, errors.New("its first line is damaged")
		}
		numbers[i] = n
	}
	rest := uint64(size) - uint64(headSize)
	if numbers[1] > maxEnvelope || numbers[1] > rest || numbers[0] != rest-numbers[1] {
		return 0, 0, 0, fmt.Errorf("it has %d octets and its first line says otherwise", size)
	}
	return int64(numbers[0]), int64(numbers[1]), numbers[2], nil
}

// parse takes a file of that size apart. Whether its sum is right shows when the body
// was read: letter.body.check.
func parse(r io.ReaderAt, size int64) (*letter, error) {
	first := make([]byte, headSize)
	if n, err := r.ReadAt(first, 0); n < headSize {
		return nil, orShort(err)
	}
	body, length, sum, err := parseHead(first, size)
	if err != nil {
		return nil, err
	}
	text := make([]byte, length)
	if n, err := r.ReadAt(text, int64(headSize)+body); n < len(text) {
		return nil, orShort(err)
	}
	l := &letter{body: &bodyReader{r: io.NewSectionReader(r, int64(headSize), body), left: body, hash: fnv.New64a(), tail: text, want: sum}}
	if err := json.Unmarshal(text, &l.env); err != nil {
		return nil, fmt.Errorf("its envelope cannot be read: %w", err)
	}
	return l, l.check()
}

// check refuses what hand-in never writes and intake, which has the message go through
// all its own checks again, would not see.
func (l *letter) check() error {
	e := &l.env
	switch {
	case !plain(e.ID):
		return errors.New("its id is not one that notices gives")
	case e.Form != spool.Ordinary:
		return errors.New("it passes for a return")
	case !e.ExpiresAt.IsZero() && !e.ExpiresAt.After(e.QueuedAt):
		return errors.New("it expired before it was handed in")
	case len(e.Recipients) == 0:
		return errors.New("it has no recipient")
	}
	if err := e.DSNParams.Check(len(e.Recipients)); err != nil {
		return fmt.Errorf("what it asks to be told: %w", err)
	}
	return nil
}

// plain reports whether id is one of spool.NewID's: 16 signs, and no derived one, which
// would get in the way of another message's return.
func plain(id spool.ID) bool { return len(id) == 16 && id.Generated() }

func orShort(err error) error {
	if err == nil || err == io.EOF {
		return errors.New("it is cut short")
	}
	return err
}

// bodyReader reads the message of a file once, and keeps its sum.
type bodyReader struct {
	r    io.Reader
	left int64
	hash hash.Hash64
	tail []byte // what comes after the body
	want uint64
	err  error // of reading, but for the end
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	b.hash.Write(p[:n])
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// check says what was wrong with the body, once it was read to its end.
func (b *bodyReader) check() error {
	switch {
	case b.err != nil:
		return fmt.Errorf("it cannot be read: %w", b.err)
	case b.left != 0:
		return errors.New("it is cut short")
	}
	b.hash.Write(b.tail)
	if b.hash.Sum64() != b.want {
		return errors.New("its checksum is wrong: it was not written to its end, or changed since")
	}
	return nil
}

// same reports whether a stored message is the one in the file: the same id can be
// forged, the rest only by who knows the message.
func (l *letter) same(e *spool.Envelope) bool {
	if len(l.env.Recipients) != len(e.Recipients) || l.env.MessageID != e.MessageID || l.env.Ref != e.Ref {
		return false
	}
	for i, r := range e.Recipients {
		if l.env.Recipients[i] != r {
			return false
		}
	}
	return true
}

var _ io.ReaderAt = fsys.File(nil)
