package buffer

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/maildir"
	"notices/spool/move"
)

// Open opens the folder to list or to move what is in it. It keeps no history: a message that leaves it
// has not ended. If there is no spool in the folder yet, Open returns nil and makes none.
func Open(dir string, now func() time.Time) (*maildir.Store, error) {
	if _, err := os.Lstat(filepath.Join(dir, "cur")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return maildir.Open(dir, maildir.Options{Now: now, NoHistory: true})
}

// Counts say what was moved.
type Counts = move.Counts

// Move moves what is in the folder into the database, each message exactly once: see the package
// comment. stays is called with each message that cannot be moved, and found with what is no message and was
// set aside; it may be nil. Any number of moves may run at once.
func Move(ctx context.Context, folder, database spool.Store, stays func(spool.ID, error), found func(spool.Anomaly)) (Counts, error) {
	m := &move.Mover{From: folder, To: database, Found: found}
	m.Tell = func(id spool.ID, err error) {
		if !errors.Is(err, spool.ErrBusy) { // another run moves it
			stays(id, err)
		}
	}
	err := m.All(ctx)
	return m.Counts, err
}

// Waiting says how much mail is in the folder.
type Waiting struct {
	Dir      string // the folder
	Messages int
	Oldest   time.Time // when the oldest was queued
}

// Count counts what is in the folder.
func Count(ctx context.Context, dir string, folder spool.Store) (Waiting, error) {
	own := map[spool.ID]spool.Entry{}
	keep := func(e spool.Entry) bool { own[e.ID] = e; return true }
	err := folder.Scan(ctx, keep)
	if err == nil {
		err = folder.ScanFailed(ctx, keep)
	}
	if err != nil {
		return Waiting{Dir: dir}, err
	}
	return count(ctx, dir, folder, own)
}

// count finds the oldest. Ids have the time in them at which they were drawn.
func count(ctx context.Context, dir string, folder spool.Store, own map[spool.ID]spool.Entry) (Waiting, error) {
	w := Waiting{Dir: dir, Messages: len(own)}
	if len(own) == 0 {
		return w, nil
	}
	rec, body, err := folder.Peek(ctx, own[slices.Min(slices.Collect(maps.Keys(own)))])
	if errors.Is(err, spool.ErrGone) { // it was moved meanwhile
		return w, nil
	}
	if err == nil {
		w.Oldest, err = rec.Envelope.QueuedAt, body.Close()
	}
	return w, err
}
