// Package records reads the records of many messages at once, for lists, counts and searches.
// It claims no message, opens no body, and holds only a few records in memory.
package records

import (
	"context"
	"errors"
	"hash/maphash"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"notices/spool"
)

// Store is the part of a spool.Store that is read here.
type Store interface {
	Scan(ctx context.Context, yield func(spool.Entry) bool) error
	ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error
	Peek(ctx context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error)
}

// List lists the messages that keep holds for, failed ones too, in no order.
func List(ctx context.Context, s Store, keep func(spool.Entry) bool) ([]spool.Entry, error) {
	var found []spool.Entry
	collect := func(e spool.Entry) bool {
		if keep(e) {
			found = append(found, e)
		}
		return ctx.Err() == nil
	}
	if err := s.Scan(ctx, collect); err != nil {
		return nil, err
	}
	if err := s.ScanFailed(ctx, collect); err != nil {
		return nil, err
	}
	return found, ctx.Err()
}

// ListAll is List for a caller that must lack no message while a flush runs: a listing of a folder
// may lack a file that is renamed while the folder is read, so it lists twice.
func ListAll(ctx context.Context, s Store, keep func(spool.Entry) bool) (found []spool.Entry, err error) {
	err = ListParts(ctx, s, func(part []spool.Entry) {
		found = append(found, slices.DeleteFunc(part, func(e spool.Entry) bool { return !keep(e) })...)
	})
	return found, err
}

// ListParts hands what ListAll lists to visit in parts, so that the whole need not be in memory.
func ListParts(ctx context.Context, s Store, visit func(part []spool.Entry)) error {
	const size = 1024
	var part []spool.Entry
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{} // of ids, which take more memory
	for range 2 {
		if _, err := List(ctx, s, func(e spool.Entry) bool {
			hash := maphash.String(seed, string(e.ID))
			if _, known := seen[hash]; known {
				return false
			}
			seen[hash] = struct{}{}
			if part = append(part, e); len(part) == size {
				visit(part)
				part = nil
			}
			return false
		}); err != nil {
			return err
		}
	}
	if len(part) > 0 {
		visit(part)
	}
	return nil
}

// Ahead is how many records are read at once: enough to keep all processors busy, and few
// enough for the memory.
const Ahead = 256

// Message is a record that was read, or why it could not be.
type Message struct {
	*spool.Record
	Stored int64 // octets that the message takes in the spool, its record too
	Err    error
}

// Read hands the records of entries to visit in their order, each read once, many at a
// time. A message that left meanwhile is skipped; for another error visit gets a Message with Err.
func Read(ctx context.Context, s Store, entries []spool.Entry, visit func(Message)) error {
	return Each(ctx, s, entries, func(_ spool.Entry, m Message) {
		if !errors.Is(m.Err, spool.ErrGone) {
			visit(m)
		}
	})
}

// Each is Read for a caller that also looks after the messages that left meanwhile: visit gets
// them with spool.ErrGone.
func Each(ctx context.Context, s Store, entries []spool.Entry, visit func(spool.Entry, Message)) error {
	results := make([]Message, min(Ahead, len(entries)))
	for some := range slices.Chunk(entries, Ahead) {
		if err := peekAll(ctx, s, some, results); err != nil {
			return err
		}
		for i, found := range results[:len(some)] {
			visit(some[i], found)
		}
	}
	return nil
}

// peekAll reads some records into results.
func peekAll(ctx context.Context, s Store, some []spool.Entry, results []Message) error {
	if many, ok := s.(spool.ManyPeeker); ok {
		return many.PeekMany(ctx, some, func(i int, r *spool.Record, body spool.PeekedBody, err error) {
			results[i] = message(r, body, err)
		})
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range some {
		g.Go(func() error { results[i] = Peek(ctx, s, e); return ctx.Err() })
	}
	return g.Wait()
}

// Peek reads a message's record and nothing of its body.
func Peek(ctx context.Context, s Store, e spool.Entry) Message {
	r, body, err := s.Peek(ctx, e)
	return message(r, body, err)
}

func message(r *spool.Record, body spool.PeekedBody, err error) Message {
	if err != nil {
		return Message{Err: err}
	}
	return Message{r, body.Stored(), body.Close()}
}

// NextSend is when a message is sent next; zero if it will not be sent.
func NextSend(r *spool.Record) time.Time {
	if r.Held || r.GivenUp || r.Finished() {
		return time.Time{}
	}
	return r.NextSendAt
}
