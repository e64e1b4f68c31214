package buffer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"notices/spool"
	"notices/spool/move"
	"notices/spool/records"
)

// Database is a store that many hosts share.
type Database interface {
	spool.Store
	spool.Hosts
	spool.ManyPeeker
	spool.Searcher
	CountAside(ctx context.Context) (n, fromDrop int, err error)
	Server(ctx context.Context) (string, error)
	// KnowsKeys returns the messages whose import keys the database knows, under their own ids.
	KnowsKeys(ctx context.Context, keys map[spool.ID]spool.ImportKey) ([]spool.ID, error)
}

// View is the database together with the folder, for commands that list messages and change none. Of a
// message that is in both, the database's is shown. A message that has left the database is not in the
// queue, even if the folder still has a copy.
type View struct {
	Database
	folder spool.Store

	mu  sync.Mutex
	own map[spool.ID]bool // the messages that were listed from the folder
}

// NewView makes a View. Close closes both.
func NewView(database Database, folder spool.Store) *View {
	return &View{Database: database, folder: folder, own: map[spool.ID]bool{}}
}

// Scan yields the database's messages, and then the folder's.
func (v *View) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return v.both(ctx, spool.Store.Scan, yield)
}

// ScanFailed is Scan for failed messages.
func (v *View) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return v.both(ctx, spool.Store.ScanFailed, yield)
}

type scan func(s spool.Store, ctx context.Context, yield func(spool.Entry) bool) error

// both reads the folder first: what is moved meanwhile is in the database's listing.
func (v *View) both(ctx context.Context, list scan, yield func(spool.Entry) bool) error {
	own, err := v.waiting(ctx, list)
	if err != nil {
		return err
	}
	stopped := false
	err = list(v.Database, ctx, func(e spool.Entry) bool {
		delete(own, e.ID)
		stopped = !yield(e)
		return !stopped
	})
	for _, e := range own {
		if err != nil || stopped {
			break
		}
		stopped = !yield(e)
	}
	return err
}

// waiting lists the messages that wait in the folder.
func (v *View) waiting(ctx context.Context, lists ...scan) (map[spool.ID]spool.Entry, error) {
	own := map[spool.ID]spool.Entry{}
	for _, list := range lists {
		if err := list(v.folder, ctx, func(e spool.Entry) bool { own[e.ID] = e; return true }); err != nil {
			return nil, err
		}
	}
	return own, v.notThere(ctx, own)
}

// notThere keeps of the folder's messages those that the database does not have, and never had:
// the others are copies that the next flush removes.
func (v *View) notThere(ctx context.Context, own map[spool.ID]spool.Entry) error {
	if len(own) == 0 {
		return nil
	}
	there, err := v.Database.Find(ctx, slices.Collect(maps.Keys(own))...)
	if err != nil {
		return err
	}
	for id := range there {
		delete(own, id)
	}
	if err = v.notLeft(ctx, own); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for id := range own {
		v.own[id] = true
	}
	return nil
}

// notLeft keeps of the folder's messages those that have not left the database: see the package
// comment.
func (v *View) notLeft(ctx context.Context, own map[spool.ID]spool.Entry) error {
	if len(own) == 0 {
		return nil
	}
	q := spool.HistoryQuery{IDs: slices.Collect(maps.Keys(own))}
	ended := map[spool.ID]bool{}
	_, err := v.Database.History(ctx, q, func(e *spool.HistoryEntry) bool {
		before, known := ended[e.ID]
		ended[e.ID] = (before || !known) && e.Ending != spool.EndedFailed // one that failed is still in its spool
		return true
	})
	if err != nil {
		return err
	}
	maps.DeleteFunc(own, func(id spool.ID, _ spool.Entry) bool { return ended[id] })
	keys := map[spool.ID]spool.ImportKey{}
	for id, e := range own {
		if m := records.Peek(ctx, v.folder, e); m.Err == nil {
			keys[id] = move.KeyOf(&m.Envelope)
		}
	}
	left, err := v.Database.KnowsKeys(ctx, keys)
	for _, id := range left {
		delete(own, id)
	}
	return err
}

// Count counts what waits in the folder, and only there.
func (v *View) Count(ctx context.Context, dir string) (Waiting, error) {
	own, err := v.waiting(ctx, spool.Store.Scan, spool.Store.ScanFailed)
	if err != nil {
		return Waiting{Dir: dir}, err
	}
	return count(ctx, dir, v.folder, own)
}

// Candidates lists all of the folder's messages: they are few.
func (v *View) Candidates(ctx context.Context, q spool.HistoryQuery) ([]spool.Entry, error) {
	own, err := v.waiting(ctx, spool.Store.Scan, spool.Store.ScanFailed)
	if err != nil {
		return nil, err
	}
	list, err := v.Database.Candidates(ctx, q)
	for _, e := range list {
		delete(own, e.ID)
	}
	return slices.AppendSeq(list, maps.Values(own)), err
}

// Find looks in the database first.
func (v *View) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	own, err := v.folder.Find(ctx, ids...)
	if err == nil {
		err = v.notThere(ctx, own)
	}
	if err != nil {
		return nil, err
	}
	found, err := v.Database.Find(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for id, e := range own {
		if _, moved := found[id]; !moved {
			found[id] = e
		}
	}
	return found, nil
}

// CountAside counts what was set aside in either.
func (v *View) CountAside(ctx context.Context) (n, fromDrop int, err error) {
	n, fromDrop, err = v.Database.CountAside(ctx)
	if folder, ok := v.folder.(interface {
		CountAside(ctx context.Context) (n, fromDrop int, err error)
	}); ok {
		own, ownDrop, failed := folder.CountAside(ctx)
		n, fromDrop, err = n+own, fromDrop+ownDrop, errors.Join(err, failed)
	}
	return n, fromDrop, err
}

// Peek reads a message of the folder there, unless it was moved meanwhile.
func (v *View) Peek(ctx context.Context, e spool.Entry) (r *spool.Record, b spool.PeekedBody, err error) {
	if v.isOwn(e.ID) {
		if r, b, err = v.folder.Peek(ctx, e); !errors.Is(err, spool.ErrGone) {
			return r, b, err
		}
	}
	return v.Database.Peek(ctx, e)
}

// PeekMany is Peek for each of the entries.
func (v *View) PeekMany(ctx context.Context, entries []spool.Entry, visit func(i int, r *spool.Record, b spool.PeekedBody, err error)) error {
	var rest []spool.Entry
	var places []int
	for i, e := range entries {
		if v.isOwn(e.ID) {
			if r, b, err := v.folder.Peek(ctx, e); !errors.Is(err, spool.ErrGone) {
				visit(i, r, b, err)
				continue
			}
		}
		rest, places = append(rest, e), append(places, i)
	}
	if len(rest) == 0 {
		return nil
	}
	return v.Database.PeekMany(ctx, rest, func(i int, r *spool.Record, b spool.PeekedBody, err error) { visit(places[i], r, b, err) })
}

func (v *View) isOwn(id spool.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.own[id]
}

// Close closes both.
func (v *View) Close() error { return errors.Join(v.Database.Close(), v.folder.Close()) }
