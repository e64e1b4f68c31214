package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/reuse"
	"notices/spool/maildir/sidecar"
)

// draft is a message in tmp. It holds the lock on its body, which stays with the file
// when that is renamed to cur: the message is never without an owner.
type draft struct {
	folders  folders
	id       spool.ID
	body     fsys.File
	side     fsys.File
	size     int64
	entry    spool.Entry // of the listing that it will be in
	env      spool.Envelope
	at       sidecar.Content // of the sidecar, without a Record
	spare    reuse.Pair      // the files that body is of, until the sidecar was taken, too
	done     bool
	keys     []spool.ImportKey
	synced   bool  // by Sync
	unsynced error // a sync that failed earlier
}

func (d *draft) tmpBody() string { return bodyPath(tmpDir, d.id) }

// New creates and locks the body of a new message in tmp.
func (s *Store) New(_ context.Context, id spool.ID) (spool.Draft, error) {
	d := &draft{folders: s.folders, id: id}
	if !id.Valid() {
		return nil, fmt.Errorf("%q is no queue id", id)
	}
	if spare, ok := s.soon.pool.Take(d.tmpBody()); ok {
		d.body, d.spare = spare.Body, spare
		return d, nil
	}
	if err := s.folders.ensure(d.create); err != nil {
		return nil, notASpool(err)
	}
	return d, nil
}

// create creates and locks tmp/ID. Between the two, a sweeper may remove the file as left
// over. The lock is then on a file without a name, and create tries again.
func (d *draft) create() error {
	for {
		f, err := d.folders.Open(d.tmpBody(), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			swept, err := sweepDraft(d.folders, d.id)
			if err != nil {
				return err
			}
			if !swept {
				return fmt.Errorf("%s: %w", d.id, spool.ErrBusy)
			}
			continue
		}
		if err != nil {
			return err
		}
		if err = f.Lock(true); err == nil {
			var st fsys.Info
			if st, err = f.Stat(); err == nil && st.Links > 0 {
				d.body = f
				return nil
			}
		}
		f.Close()
		if err != nil {
			return err
		}
	}
}

func (d *draft) ID() spool.ID { return d.id }

func (d *draft) Len() int64 { return d.size }

func (d *draft) Write(p []byte) (int, error) {
	n, err := d.body.WriteAt(p, d.size)
	d.size += int64(n)
	return n, err
}

// ReadAt shows nothing of another message that the file had before.
func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	return io.NewSectionReader(d.body, 0, d.size).ReadAt(p, off)
}

// Seal writes the sidecar beside the body in tmp.
func (d *draft) Seal(env spool.Envelope, events ...spool.Event) error {
	env.ID, env.Size = d.id, d.size
	env.QueuedAt = env.QueuedAt.UTC().Truncate(time.Second)
	text, at, err := sidecar.New(env, events...)
	if err == nil && d.spare.Size > d.size {
		err = d.body.Truncate(d.size)
	}
	if d.side = d.spare.TakeSide(tmpSidecar(d.id), at.Size); d.side == nil && err == nil {
		d.side, err = d.folders.Open(tmpSidecar(d.id), unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
	}
	if err != nil {
		return err
	}
	d.env, d.at = env, at
	d.entry, d.keys = spool.Entry{ID: d.id, Next: env.QueuedAt, State: spool.StateQueued, Expires: env.ExpiresAt}, env.ImportKeys
	if len(events) > 0 {
		d.entry = spool.NewRecord(env, events...).Entry()
	}
	_, err = d.side.WriteAt(text, 0)
	return err
}

// Abort removes what was written.
func (d *draft) Abort() error {
	if d.done {
		return nil
	}
	var err error
	if d.side != nil {
		err = d.folders.Unlink(tmpSidecar(d.id))
	}
	d.spare.TakeSide("", 0)
	return errors.Join(err, d.folders.Unlink(d.tmpBody()), d.Close())
}

// Close ends the use of the files, and the lock.
func (d *draft) Close() error {
	d.done = true
	var err error
	if d.side != nil {
		err = d.side.Close()
	}
	return errors.Join(err, d.body.Close())
}

// Sync makes the files of a sealed draft durable in tmp, so that Commit need not.
func (d *draft) Sync() error {
	own, err := sealed([]spool.Draft{d})
	if err == nil && !d.synced {
		err = unsynced(own, fsys.SyncAll([]fsys.File{d.body, d.side}))
		d.synced = err == nil
	}
	return err
}

// Commit syncs all files at once, if Sync has not, renames them, and syncs cur. Imported drafts
// cost two more syncs of folders, see renameDrafts.
func (s *Store) Commit(_ context.Context, drafts ...spool.Draft) (int, error) {
	own, err := sealed(drafts)
	files := make([]fsys.File, 0, 2*len(own))
	for _, d := range own {
		if !d.synced {
			files = append(files, d.body, d.side)
		}
	}
	if err == nil {
		err = unsynced(own, fsys.SyncAll(files))
	}
	if err != nil {
		return 0, err
	}
	anyImported := slices.ContainsFunc(own, func(d *draft) bool { return len(d.keys) > 0 })
	n, failure := renameDrafts(s.folders, own, anyImported)
	if n > 0 {
		if err := s.soon.syncCur(); err != nil {
			return 0, unsure(own[:n], err)
		}
	}
	if err := moveFailed(s.folders, own[:n]); err != nil {
		return 0, errors.Join(fmt.Errorf("%w: %w", spool.ErrUnsure, err), closeAll(own))
	}
	queued := make([]imports.Message, n)
	for i, d := range own[:n] {
		queued[i] = imports.Message{ID: d.id, Keys: d.keys}
		if len(d.keys) > 0 || d.entry.State != spool.StateQueued || !s.recent.Put(d.id, d) {
			d.Close()
		}
		d.done = true
	}
	if anyImported {
		_ = s.soon.journal.Append(queued, false) // without it, the next import opens their sidecars
	}
	if errors.Is(failure, spool.ErrExists) {
		own[n].Abort()
	}
	return n, failure
}

// sealed returns the drafts as this store's own type, if all are sealed and met no failed sync.
func sealed(drafts []spool.Draft) ([]*draft, error) {
	own := make([]*draft, len(drafts))
	for i, d := range drafts {
		var ok bool
		if own[i], ok = d.(*draft); !ok || own[i].side == nil || own[i].done {
			return nil, fmt.Errorf("message %s is not sealed", d.ID())
		}
		if cause := own[i].unsynced; cause != nil {
			// Not %w: the caller must not mistake this for ENOSPC and retry.
			return nil, fmt.Errorf("message %s is not queued, because a sync failed: %v", d.ID(), cause) //nolint:errorlint // see above
		}
	}
	return own, nil
}

// unsynced records in all drafts that a sync of theirs failed. They cannot be committed any
// more: a second sync may succeed although the first lost data (fsync(2)).
func unsynced(drafts []*draft, err error) error {
	for _, d := range drafts {
		d.unsynced = err
	}
	return err
}

// renameDrafts moves drafts to cur, first all bodies, then the sidecars in order. A message exists
// once its sidecar is renamed, and is durable once the caller has synced cur. On an error the
// first n drafts are messages. For imported drafts, it syncs twice more: a body is moved
// when its sidecar is durably in tmp, and the sidecar when the body is durably in cur.
func renameDrafts(f folders, drafts []*draft, imported bool) (n int, failed error) {
	var err error
	if imported {
		err = unsynced(drafts, f.SyncDir(tmpDir))
	}
	bodies := 0
	for bodies < len(drafts) && err == nil && failed == nil {
		if failed = drafts[bodies].renameBody(); failed == nil {
			bodies++
		}
	}
	if imported && err == nil {
		err = unsynced(drafts, f.SyncDir(curDir))
	}
	for n < bodies && err == nil {
		if err = f.Rename(tmpSidecar(drafts[n].id), drafts[n].curSide()); err == nil {
			n++
		}
	}
	for _, d := range drafts[n:bodies] { // so that Abort finds both names
		err = errors.Join(err, f.Rename(bodyPath(curDir, d.id), d.tmpBody()))
	}
	if err != nil {
		failed = err // about draft n; the error of a body was about a later one
	}
	return n, failed
}

// unsure undoes what it can after the last sync failed. Whether the messages survive a
// power cut is not known: ErrUnsure.
func unsure(renamed []*draft, cause error) error {
	for _, d := range renamed {
		cause = errors.Join(cause, d.folders.Unlink(d.curSide()), d.folders.Unlink(bodyPath(curDir, d.id)), d.Close())
	}
	return fmt.Errorf("%w: %w", spool.ErrUnsure, cause)
}

func (d *draft) curSide() string { return sidecarOf(d.first()) }

// first is the entry that it begins with: what has failed comes to cur, too.
func (d *draft) first() spool.Entry {
	e := d.entry
	if e.State == spool.StateFailed {
		e.State = spool.StateQueued
	}
	return e
}

// moveFailed moves those that have failed to failed, when they are durable in cur: stopped half
// way, their records tell Repair which way to go. After an error they are in one of the two.
func moveFailed(f folders, drafts []*draft) error {
	moved := false
	for _, d := range drafts {
		if d.entry.State == spool.StateFailed {
			moved = true
			if err := f.renamePair(d.first(), d.entry); err != nil {
				return err
			}
		}
	}
	if !moved {
		return nil
	}
	return errors.Join(f.SyncDir(failedDir), f.SyncDir(curDir))
}

func closeAll(drafts []*draft) (err error) {
	for _, d := range drafts {
		err = errors.Join(err, d.Close())
	}
	return err
}

func (d *draft) renameBody() error {
	if err := d.checkNotFailed(); err != nil {
		return err
	}
	to := bodyPath(curDir, d.id)
	err := d.folders.Rename(d.tmpBody(), to)
	if errors.Is(err, fs.ErrExist) {
		if err = d.replaceOrphan(); err == nil {
			err = d.folders.Rename(d.tmpBody(), to)
		}
	}
	return err
}

// checkNotFailed refuses an id that is already in failed. The id of a return is derived from
// its message, so after a crash the same return is stored again.
func (d *draft) checkNotFailed() error {
	_, err := d.folders.Stat(bodyPath(failedDir, d.id))
	if err == nil {
		return fmt.Errorf("%s: %w", d.id, spool.ErrExists)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replaceOrphan removes a body in cur that has the draft's name, if its writer died before it
// renamed the sidecar. A body with a sidecar is a message, and one that is locked may become one.
func (d *draft) replaceOrphan() error {
	exists := fmt.Errorf("%s: %w", d.id, spool.ErrExists)
	found, err := d.folders.find(curDir, []spool.ID{d.id})
	if err != nil || len(found) > 0 {
		return errors.Join(err, exists)
	}
	swept, err := sweepBody(d.folders, curDir, d.id)
	if err == nil && !swept {
		err = exists
	}
	return err
}
