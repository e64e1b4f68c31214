package spool

import (
	"context"
	"time"
)

// Note says what a message was made of. It stays when the message has left the
// spool, so that an import that is run again knows what it queued before. A store
// does not look into it.
type Note [16]byte

// Noted is a Store that keeps notes.
type Noted interface {
	Store
	// Notebook opens the notes for the caller alone, and forgets those of messages that
	// were queued before since. ErrBusy: another process has them open.
	Notebook(ctx context.Context, since time.Time) (Notebook, error)
}

// Notebook queues messages, each with its notes: after a kill or a power cut they
// are there if and only if the message was queued. It is used by one goroutine. What
// every store's must do is in package storetest.
type Notebook interface {
	// Has reports whether a message with that note was queued.
	Has(Note) bool
	// New is Store.New for a message that is to have notes.
	New(ctx context.Context, id ID) (Draft, error)
	// Commit is Store.Commit of drafts of this notebook's New; notes[i] are those of
	// drafts[i]. It drops none: after an error those behind n can be committed again, as
	// when others of them were aborted to make room. But where a sync failed nobody knows
	// what is on disk, and every later Commit fails.
	Commit(ctx context.Context, notes [][]Note, drafts ...Draft) (n int, err error)
	// Close lets others have the notes.
	Close() error
}
