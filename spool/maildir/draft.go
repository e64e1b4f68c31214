package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// draft is a message in tmp. It holds the lock on its body, which goes with the
// file to cur: from the first octet on the message has an owner.
type draft struct {
	s        *Store
	id       spool.ID
	body     fsys.File
	side     fsys.File
	size     int64
	next     time.Time
	over     time.Time // when --expires is
	done     bool
	keys     []spool.ImportKey
	unsynced error // its Commit met a sync that failed
}

func bodyPath(dir string, id spool.ID) string { return dir + "/" + string(id) }

func (d *draft) tmpBody() string { return bodyPath(tmpDir, d.id) }

func (d *draft) tmpSide() string { return tmpDir + "/." + string(d.id) }

// New creates and locks the body of a new message in tmp.
func (s *Store) New(_ context.Context, id spool.ID) (spool.Draft, error) {
	d := &draft{s: s, id: id}
	if !id.Valid() {
		return nil, fmt.Errorf("%q is no queue id", id)
	}
	if err := s.withLayout(d.create); err != nil {
		return nil, s.hint(err)
	}
	return d, nil
}

// create makes tmp/ID. Between making and locking it a sweeper may take it for
// left over: then the lock is had on a file without a name, and it is made anew.
func (d *draft) create() error {
	for {
		f, err := d.s.fs.Open(d.tmpBody(), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			swept, err := d.s.sweepDraft(d.id)
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
	n, err := d.body.Write(p)
	d.size += int64(n)
	return n, err
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) { return d.body.ReadAt(p, off) }

// Seal writes the sidecar beside the body in tmp.
func (d *draft) Seal(env spool.Envelope) error {
	env.ID, env.Size = d.id, d.size
	env.QueuedAt = env.QueuedAt.UTC().Truncate(time.Second)
	line, err := sidecar.First(env)
	if err != nil {
		return err
	}
	d.side, err = d.s.fs.Open(d.tmpSide(), unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	d.next, d.over, d.keys = env.QueuedAt, env.ExpiresAt, env.ImportKeys
	_, err = d.side.Write(line)
	return err
}

// Abort removes what was written.
func (d *draft) Abort() error {
	if d.done {
		return nil
	}
	var err error
	if d.side != nil {
		err = d.s.fs.Unlink(d.tmpSide())
	}
	return errors.Join(err, d.s.fs.Unlink(d.tmpBody()), d.close())
}

func (d *draft) close() error {
	d.done = true
	var err error
	if d.side != nil {
		err = d.side.Close()
	}
	return errors.Join(err, d.body.Close())
}

// Commit syncs all files at once, renames them, and syncs cur once.
func (s *Store) Commit(_ context.Context, drafts ...spool.Draft) (int, error) {
	own, err := sealed(drafts)
	files := make([]fsys.File, 0, 2*len(own))
	for _, d := range own {
		files = append(files, d.body, d.side)
	}
	if err == nil {
		err = syncFiles(files)
	}
	anyImported := slices.ContainsFunc(own, func(d *draft) bool { return len(d.keys) > 0 })
	if anyImported {
		err = unsynced(own, err)
	}
	if err != nil {
		return 0, err
	}
	n, failure := s.rename(own, anyImported)
	if n > 0 {
		if err := s.fs.SyncDir(curDir); err != nil {
			return 0, unsure(own[:n], err)
		}
	}
	queued := make([]imported, n)
	for i, d := range own[:n] {
		queued[i] = imported{d.id, d.keys}
		d.close()
	}
	if anyImported {
		_ = s.soon.journal.append(queued, false) // without it they are opened next time
	}
	if errors.Is(failure, spool.ErrExists) {
		own[n].Abort()
	}
	return n, failure
}

// sealed are the drafts as those of this store, if they can be committed.
func sealed(drafts []spool.Draft) ([]*draft, error) {
	own := make([]*draft, len(drafts))
	for i, d := range drafts {
		var ok bool
		if own[i], ok = d.(*draft); !ok || own[i].side == nil || own[i].done {
			return nil, fmt.Errorf("message %s is not sealed", d.ID())
		}
		if cause := own[i].unsynced; cause != nil {
			// Not %w: what is tried again when there is more room must not be this.
			return nil, fmt.Errorf("message %s is not queued, for a sync failed: %v", d.ID(), cause) //nolint:errorlint // see above
		}
	}
	return own, nil
}

// unsynced notes in drafts that a sync failed. A second one may succeed though the first
// lost what was to be written (fsync(2)).
func unsynced(drafts []*draft, err error) error {
	for _, d := range drafts {
		d.unsynced = err
	}
	return err
}

// rename makes messages of drafts. All bodies go first: with its sidecar, the commit point, a
// message is complete. It does so in order: on an error the first n are messages.
// For imported ones it syncs twice more: a sidecar is in tmp for certain when its body is
// moved, and is moved itself when the body is in cur for certain.
func (s *Store) rename(drafts []*draft, imported bool) (n int, failed error) {
	var err error
	if imported {
		err = unsynced(drafts, s.fs.SyncDir(tmpDir))
	}
	bodies := 0
	for bodies < len(drafts) && err == nil && failed == nil {
		if failed = drafts[bodies].renameBody(); failed == nil {
			bodies++
		}
	}
	if imported && err == nil {
		err = unsynced(drafts, s.fs.SyncDir(curDir))
	}
	for n < bodies && err == nil {
		if err = s.fs.Rename(drafts[n].tmpSide(), drafts[n].curSide()); err == nil {
			n++
		}
	}
	for _, d := range drafts[n:bodies] { // so that Abort finds both names
		err = errors.Join(err, s.fs.Rename(bodyPath(curDir, d.id), d.tmpBody()))
	}
	if err != nil {
		failed = err // what stopped the bodies was behind n
	}
	return n, failed
}

// unsure undoes what can be undone after the last sync failed. Whether the
// messages survive is not known: ErrUnsure.
func unsure(renamed []*draft, cause error) error {
	for _, d := range renamed {
		cause = errors.Join(cause, d.s.fs.Unlink(d.curSide()), d.s.fs.Unlink(bodyPath(curDir, d.id)), d.close())
	}
	return fmt.Errorf("%w: %w", spool.ErrUnsure, cause)
}

func (d *draft) curSide() string {
	return filepath.Join(curDir, sidecar.Name(spool.Entry{ID: d.id, Next: d.next, Expires: d.over}))
}

func (d *draft) renameBody() error {
	if err := d.checkNotFailed(); err != nil {
		return err
	}
	to := bodyPath(curDir, d.id)
	err := d.s.fs.Rename(d.tmpBody(), to)
	if errors.Is(err, fs.ErrExist) {
		if err = d.replaceOrphan(); err == nil {
			err = d.s.fs.Rename(d.tmpBody(), to)
		}
	}
	return err
}

// checkNotFailed refuses an id that is in failed already: that of a return is derived, and
// after a crash it is stored again.
func (d *draft) checkNotFailed() error {
	_, err := d.s.fs.Stat(bodyPath(failedDir, d.id))
	if err == nil {
		return fmt.Errorf("%s: %w", d.id, spool.ErrExists)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replaceOrphan looks at a body that is in the way: with a sidecar it is a
// message, locked it is becoming one, else its writer died before the commit.
func (d *draft) replaceOrphan() error {
	exists := fmt.Errorf("%s: %w", d.id, spool.ErrExists)
	found, err := d.s.findIn(curDir, []spool.ID{d.id})
	if err != nil || len(found) > 0 {
		return errors.Join(err, exists)
	}
	swept, err := d.s.sweepBody(curDir, d.id)
	if err == nil && !swept {
		err = exists
	}
	return err
}
