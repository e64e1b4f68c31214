package drop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"slices"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// A file in drop/ is a head of one line, the message, and the envelope, a line of JSON as
// it stands in a sidecar (spool.AppendJSON):
//
//	notices-drop 1 BODY ENVELOPE SUM
//
// BODY and ENVELOPE are their lengths in octets, SUM is FNV-1a of 64 bits over both,
// all in 16 hexadecimal digits. The envelope comes last because a message is written
// as it is read, and all of it is known only at its end.
const (
	headForm = "notices-drop 1 %016x %016x %016x\n"
	headSize = len("notices-drop 1 ") + 3*len("0123456789abcdef ")
)

// maxEnvelope is the longest envelope, in octets: the recipients, and what else a message with
// a header of 1 MiB can bring.
const maxEnvelope = spool.MaxRecipientRoom + 4<<20

// message is a file in drop/, taken apart. All of it is somebody else's word.
type message struct {
	file fsys.File
	uid  uint32
	env  spool.Envelope
	body *bodyReader

	draft  spool.Draft     // once intake has accepted it
	sealed *spool.Envelope // and its envelope
}

// formatHead makes the first line.
func formatHead(body, envelope int64, sum uint64) []byte {
	return fmt.Appendf(make([]byte, 0, headSize), headForm, body, envelope, sum)
}

// parseHead reads the first line of a file of that size.
func parseHead(b []byte, size int64) (body, envelope int64, sum uint64, err error) {
	_, err = fmt.Sscanf(string(b), headForm, &body, &envelope, &sum)
	switch rest := size - int64(headSize); {
	case err != nil, !bytes.Equal(formatHead(body, envelope, sum), b):
		return 0, 0, 0, errors.New("not a message that notices handed in")
	case envelope < 0 || envelope > min(maxEnvelope, rest) || body != rest-envelope:
		return 0, 0, 0, fmt.Errorf("it has %d octets and its first line says otherwise", size)
	}
	return body, envelope, sum, nil
}

// parse takes a file of that size apart. Whether its sum is right shows when the body
// was read: bodyReader.check.
func parse(r io.ReaderAt, size int64) (*message, error) {
	first := make([]byte, headSize)
	if n, err := r.ReadAt(first, 0); n < headSize {
		return nil, readError(err)
	}
	body, length, sum, err := parseHead(first, size)
	if err != nil {
		return nil, err
	}
	text := make([]byte, length)
	if n, err := r.ReadAt(text, int64(headSize)+body); n < len(text) {
		return nil, readError(err)
	}
	m := &message{body: &bodyReader{r: io.NewSectionReader(r, int64(headSize), body), left: body, hash: fnv.New64a(), envelope: text, sum: sum}}
	if err := json.Unmarshal(text, &m.env); err != nil {
		return nil, fmt.Errorf("its envelope cannot be read: %w", err)
	}
	return m, m.validate()
}

// validate refuses what hand-in never writes and intake, which has the message go through
// all its own checks again, would not see.
func (m *message) validate() error {
	e := &m.env
	switch {
	case !isNewID(e.ID):
		return errors.New("its id is not one that notices gives")
	case e.Form != spool.Ordinary:
		return errors.New("it claims to be a return")
	case e.Site != "":
		return errors.New("it claims to be from a site of a hosted service, whose mail comes in through notices serve alone")
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

// isNewID reports whether an id is one of spool.NewID's, of 16 characters. One that is
// derived from another would get in the way of that message's return.
func isNewID(id spool.ID) bool { return len(id) == 16 && id.Generated() }

func readError(err error) error {
	if err == nil || err == io.EOF {
		return errors.New("it is cut short")
	}
	return err
}

// bodyReader reads the message of a file once, and computes its sum.
type bodyReader struct {
	r        io.Reader
	left     int64
	hash     hash.Hash64
	envelope []byte // what comes after the body
	sum      uint64 // as the head has it
	err      error  // of reading, but for the end
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
	b.hash.Write(b.envelope)
	if b.hash.Sum64() != b.sum {
		return errors.New("its checksum is wrong: it was not written to its end, or changed since")
	}
	return nil
}

// same reports whether a stored message is the one in the file: the same id can be
// forged, the rest only by who knows the message.
func (m *message) same(e *spool.Envelope) bool {
	return m.env.MessageID == e.MessageID && m.env.Ref == e.Ref && slices.Equal(m.env.Recipients, e.Recipients)
}
