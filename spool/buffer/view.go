package buffer

import (
	"context"
	"errors"

	"notices/spool"
)

// Database is a store that many hosts share.
type Database interface {
	spool.Store
	spool.Hosts
	spool.ManyPeeker
	spool.Searcher
	CountAside(ctx context.Context) (n, fromDrop int, err error)
	Server(ctx context.Context) (string, error)
}

// View is the database together with the folder, for what lists messages and changes none. A
// message that is in both is that of the database.
type View struct {
	Database
	folder spool.Store
}

// NewView makes a View. Close closes both.
func NewView(database Database, folder spool.Store) *View { return &View{database, folder} }

// Scan lists the database's messages, and then the folder's.
func (v *View) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return v.both(ctx, spool.Store.Scan, yield)
}

// ScanFailed is Scan for failed messages.
func (v *View) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return v.both(ctx, spool.Store.ScanFailed, yield)
}

func (v *View) both(ctx context.Context, scan func(spool.Store, context.Context, func(spool.Entry) bool) error, yield func(spool.Entry) bool) error {
	stopped := false
	err := scan(v.Database, ctx, func(e spool.Entry) bool { stopped = !yield(e); return !stopped })
	if err != nil || stopped {
		return err
	}
	var own []spool.Entry
	if err = scan(v.folder, ctx, func(e spool.Entry) bool { own = append(own, e); return true }); err != nil || len(own) == 0 {
		return err
	}
	ids := make([]spool.ID, len(own))
	for i, e := range own {
		ids[i] = e.ID
	}
	there, err := v.Database.Find(ctx, ids...)
	if err != nil {
		return err
	}
	for _, e := range own {
		if _, moved := there[e.ID]; !moved && !yield(e) {
			break
		}
	}
	return nil
}

// Candidates lists all of the folder's messages: they are few.
func (v *View) Candidates(ctx context.Context, q spool.HistoryQuery) ([]spool.Entry, error) {
	list, err := v.Database.Candidates(ctx, q)
	keep := func(e spool.Entry) bool { list = append(list, e); return true }
	if err == nil {
		err = v.folder.Scan(ctx, keep)
	}
	if err == nil {
		err = v.folder.ScanFailed(ctx, keep)
	}
	return list, err
}

// Find looks in the database first.
func (v *View) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	found, err := v.Database.Find(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var rest []spool.ID
	for _, id := range ids {
		if _, there := found[id]; !there {
			rest = append(rest, id)
		}
	}
	if len(rest) == 0 {
		return found, nil
	}
	own, err := v.folder.Find(ctx, rest...)
	for id, e := range own {
		found[id] = e
	}
	return found, err
}

// Peek reads what the database does not have in the folder.
func (v *View) Peek(ctx context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	r, b, err := v.Database.Peek(ctx, e)
	if errors.Is(err, spool.ErrGone) {
		return v.folder.Peek(ctx, e)
	}
	return r, b, err
}

// PeekMany is Peek for each of the entries.
func (v *View) PeekMany(ctx context.Context, entries []spool.Entry, visit func(i int, r *spool.Record, b spool.PeekedBody, err error)) error {
	return v.Database.PeekMany(ctx, entries, func(i int, r *spool.Record, b spool.PeekedBody, err error) {
		if errors.Is(err, spool.ErrGone) {
			r, b, err = v.folder.Peek(ctx, entries[i])
		}
		visit(i, r, b, err)
	})
}

// Close closes both.
func (v *View) Close() error { return errors.Join(v.Database.Close(), v.folder.Close()) }
