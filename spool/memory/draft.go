package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"notices/spool"
)

// draft is a message being written.
type draft struct {
	s    *Store
	id   spool.ID
	data []byte
	env  []byte    // not nil: sealed
	over bool      // committed, dropped or aborted
	book *notebook // not nil: it gets notes, and this commits it
}

// New implements spool.Store.
func (s *Store) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	return s.newDraft(ctx, &draft{s: s, id: id})
}

func (s *Store) newDraft(ctx context.Context, w *draft) (spool.Draft, error) {
	if !w.id.Valid() {
		return nil, fmt.Errorf("memory: %q is no queue id", w.id)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.d.mu.Unlock()
	s.d.drafts[w] = struct{}{}
	return w, nil
}

// Commit implements spool.Store.
func (s *Store) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	for n, d := range drafts {
		w, ok := d.(*draft)
		if !ok || w.s.d != s.d || w.book != nil {
			return n, fmt.Errorf("memory: %s is no draft of this store", d.ID())
		}
		if err := s.commit(ctx, w); err != nil {
			return n, err
		}
	}
	return len(drafts), nil
}

func (s *Store) commit(ctx context.Context, w *draft) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.d.mu.Unlock()
	if err := w.sealed(); err != nil {
		return err
	}
	w.drop()
	if s.d.messages[w.id] != nil {
		return fmt.Errorf("%s: %w", w.id, spool.ErrExists)
	}
	s.d.put(w)
	return nil
}

// put makes a message of a draft.
func (d *disk) put(w *draft) {
	m := &message{body: w.data, env: w.env}
	m.list(w.id)
	d.messages[w.id] = m
}

// sealed says whether the draft can be committed.
func (w *draft) sealed() error {
	err := w.open()
	if err == nil && w.env == nil {
		err = fmt.Errorf("memory: draft %s is not sealed", w.id)
	}
	return err
}

// open says whether the draft can still be worked on; with disk.mu held.
func (w *draft) open() error {
	if err := w.s.usable(); err != nil {
		return err
	}
	if w.over {
		return fmt.Errorf("memory: draft %s: %w", w.id, os.ErrClosed)
	}
	return nil
}

// writable is open and not sealed.
func (w *draft) writable() error {
	err := w.open()
	if err == nil && w.env != nil {
		err = fmt.Errorf("memory: draft %s is sealed: %w", w.id, os.ErrClosed)
	}
	return err
}

func (w *draft) drop() {
	w.over = true
	delete(w.s.d.drafts, w)
}

func (w *draft) ID() spool.ID { return w.id }

func (w *draft) Len() int64 { return int64(len(w.data)) }

func (w *draft) Write(p []byte) (int, error) {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	if err := w.writable(); err != nil {
		return 0, err
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *draft) ReadAt(p []byte, off int64) (int, error) {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	if err := w.writable(); err != nil {
		return 0, err
	}
	return readAt(w.data, p, off)
}

func (w *draft) Truncate(n int64) error {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	if n < 0 || n > int64(len(w.data)) {
		return fmt.Errorf("memory: cannot truncate %d octets to %d", len(w.data), n)
	}
	w.data = w.data[:n]
	return nil
}

func (w *draft) Seal(env spool.Envelope) error {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	if env.ID != w.id {
		return fmt.Errorf("memory: the envelope is of %q, the draft of %q", env.ID, w.id)
	}
	b, err := json.Marshal(env)
	w.env = b
	return err
}

func (w *draft) Abort() error {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	if w.over {
		return nil
	}
	if err := w.open(); err != nil {
		return err
	}
	w.drop()
	return nil
}
