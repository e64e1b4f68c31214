package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// Peek reads a message without its lock. The sidecar is all that a list or a count of
// many messages needs: the message is opened when it is first read from, and may have
// left by then.
func (s *Store) Peek(_ context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	f, err := s.folders.Open(sidecarOf(e), unix.O_RDONLY, 0)
	if err != nil {
		return nil, nil, goneError(e.ID, err)
	}
	got, err := sidecar.Read(f)
	f.Close()
	if err == nil && got.Record.Envelope.ID != e.ID || err != nil && s.folders.gone(sidecarOf(e)) {
		return nil, nil, goneError(e.ID, fs.ErrNotExist) // another message has the file
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	return got.Record, &lazyBody{folders: s.folders, entry: e, size: got.Record.Envelope.Size, side: got.Size}, nil
}

// lazyBody is a message that is opened when it is read from.
type lazyBody struct {
	folders folders
	entry   spool.Entry
	size    int64
	side    int64 // octets of the sidecar

	mu   sync.Mutex
	file fsys.File
	err  error
}

func (b *lazyBody) Size() int64 { return b.size }

func (b *lazyBody) Stored() int64 { return b.size + b.side }

func (b *lazyBody) ReadAt(p []byte, off int64) (int, error) {
	f, err := b.open()
	if err != nil {
		return 0, err
	}
	n, err := f.ReadAt(p, off)
	if b.folders.gone(bodyOf(b.entry)) { // while it was read, perhaps, and another message has the file
		return 0, goneError(b.entry.ID, fs.ErrNotExist)
	}
	return n, err
}

// gone reports whether a name does not exist.
func (f folders) gone(name string) bool {
	_, err := f.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

func (b *lazyBody) open() (fsys.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil && b.err == nil {
		b.file, b.err = b.folders.Open(bodyOf(b.entry), unix.O_RDONLY, 0)
		if b.err != nil {
			b.err = goneError(b.entry.ID, b.err)
		}
	}
	return b.file, b.err
}

func (b *lazyBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.file
	b.file, b.err = nil, fs.ErrClosed
	if f == nil {
		return nil
	}
	return f.Close()
}
