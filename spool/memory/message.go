package memory

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"notices/spool"
)

// message is what the disk holds of one message; all of it under disk.mu, but
// body, which never changes.
type message struct {
	body   []byte
	env    []byte // JSON, as a sidecar would hold it
	events [][]byte
	synced int // so many events survive a power cut
	wanted int // so many will after Sync
	listed spool.Entry
	claim  *claim
}

func (m *message) size() int64 {
	n := len(m.body) + len(m.env)
	for _, e := range m.events {
		n += len(e)
	}
	return int64(n)
}

// record folds what is stored into a record of the caller's own.
func (m *message) record() (*spool.Record, error) {
	var env spool.Envelope
	if err := json.Unmarshal(m.env, &env); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	r := spool.NewRecord(env)
	for _, b := range m.events {
		e, err := decodeEvent(b)
		if err != nil {
			return nil, err
		}
		r.Apply(e)
	}
	return r, nil
}

func decodeEvent(b []byte) (spool.Event, error) {
	var e spool.Event
	err := json.Unmarshal(b, &e)
	return e, err
}

// list brings the listing in line with what is stored. A damaged record leaves
// it as it was.
func (m *message) list(id spool.ID) {
	if r, err := m.record(); err == nil {
		m.listed = entryOf(id, r)
	}
}

// entryOf is how the listing shows a message with that record.
func entryOf(id spool.ID, r *spool.Record) spool.Entry {
	e := spool.Entry{ID: id, Next: second(r.NextSendAt), State: spool.StateQueued}
	switch {
	case r.GivenUp:
		e.State = spool.StateFailed
		e.Next = second(failedAt(r))
	case r.Held:
		e.State = spool.StateHeld
	case !r.Envelope.ExpiresAt.IsZero():
		e.Expires = second(r.Envelope.ExpiresAt)
	}
	return e
}

// body is one reader of a message. A claim closes its own; using it afterwards
// is an error that a test should see.
type body struct {
	data   []byte
	stored int64 // with its record, when it was looked at
	closed atomic.Bool
}

func (b *body) Size() int64 { return int64(len(b.data)) }

func (b *body) Stored() int64 { return b.stored }

func (b *body) Close() error {
	if b.closed.Swap(true) {
		return os.ErrClosed
	}
	return nil
}

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	if b.closed.Load() {
		return 0, os.ErrClosed
	}
	return readAt(b.data, p, off)
}

func readAt(data, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("memory: negative offset %d", off)
	}
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
