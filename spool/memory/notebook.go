package memory

import (
	"context"
	"fmt"
	"os"
	"time"

	"notices/spool"
)

// notebook is the notes as one import has them open; the disk knows which that is.
type notebook struct{ s *Store }

var _ spool.Noted = (*Store)(nil)

// Notebook implements spool.Noted. Notes are as durable as the messages.
func (s *Store) Notebook(ctx context.Context, since time.Time) (spool.Notebook, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.d.mu.Unlock()
	if s.d.book != nil {
		return nil, fmt.Errorf("memory: another import is at work: %w", spool.ErrBusy)
	}
	for n, queued := range s.d.notes {
		if queued.Before(since) {
			delete(s.d.notes, n)
		}
	}
	s.d.book = &notebook{s}
	return s.d.book, nil
}

// open says whether the notes are still had; with disk.mu held.
func (b *notebook) open() error {
	if err := b.s.usable(); err != nil {
		return err
	}
	if b.s.d.book != b {
		return fmt.Errorf("memory: the notebook: %w", os.ErrClosed)
	}
	return nil
}

func (b *notebook) Has(n spool.Note) bool {
	b.s.d.mu.Lock()
	defer b.s.d.mu.Unlock()
	_, known := b.s.d.notes[n]
	return known && b.open() == nil
}

func (b *notebook) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	return b.s.newDraft(ctx, &draft{s: b.s, id: id, book: b})
}

func (b *notebook) Commit(ctx context.Context, notes [][]spool.Note, drafts ...spool.Draft) (int, error) {
	if len(notes) != len(drafts) {
		return 0, fmt.Errorf("memory: notes of %d messages for %d", len(notes), len(drafts))
	}
	if err := b.s.lock(ctx); err != nil {
		return 0, err
	}
	defer b.s.d.mu.Unlock()
	if err := b.open(); err != nil {
		return 0, err
	}
	own := make([]*draft, len(drafts))
	for i, d := range drafts {
		var ok bool
		if own[i], ok = d.(*draft); !ok || own[i].book != b {
			return 0, fmt.Errorf("memory: %s is no draft of this notebook", d.ID())
		}
		if err := own[i].sealed(); err != nil {
			return 0, err
		}
	}
	for i, w := range own {
		if b.s.d.messages[w.id] != nil {
			return i, fmt.Errorf("%s: %w", w.id, spool.ErrExists)
		}
		w.drop()
		b.s.d.put(w)
		for _, n := range notes[i] {
			b.s.d.notes[n] = b.s.d.messages[w.id].listed.Next // when it was queued
		}
	}
	return len(drafts), nil
}

// Close implements spool.Notebook. Drafts that were not committed stay to be aborted.
func (b *notebook) Close() error {
	b.s.d.mu.Lock()
	defer b.s.d.mu.Unlock()
	if b.s.d.book == b {
		b.s.d.book = nil
	}
	return nil
}
