package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// importDir is made by the first import. The sidecar of a message that is to have a
// note is written in here, not in tmp, where flushes sweep: as long as it is here, the
// message was not queued, whoever died over it. Its rename to cur is the commit point
// for the message and for its note alike, so that a note is void while import/.ID is
// there, and good ever after, also when the message has long left the spool.
//
//	import/.ID    the sidecar of a message being queued
//	import/notes  the notes
//	import/lock   locked by the import at work
const (
	importDir = "import"
	notesLock = importDir + "/lock"
)

func notedSide(id spool.ID) string { return importDir + "/." + string(id) }

// notebook implements spool.Notebook.
type notebook struct {
	s     *Store
	lock  fsys.File
	notes notesFile
	known map[spool.Note]struct{}
	// unsynced is the sync that failed. A second one of the same file may succeed though
	// the first lost what was to be written (fsync(2)), so nothing is queued any more.
	unsynced error
}

var _ spool.Noted = (*Store)(nil)

// Notebook locks the notes, reads them, and strikes out what an import that died had
// noted and not queued.
func (s *Store) Notebook(ctx context.Context, since time.Time) (spool.Notebook, error) {
	if err := s.withLayout(s.makeImportDir); err != nil {
		return nil, s.hint(err)
	}
	lock, err := s.fs.Open(notesLock, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	b := &notebook{s: s, lock: lock, notes: notesFile{fs: s.fs}, known: map[spool.Note]struct{}{}}
	if err = lock.Lock(false); err == nil {
		err = b.open(ctx, since)
	}
	if errors.Is(err, fsys.ErrLocked) {
		err = fmt.Errorf("another import is at work: %w", spool.ErrBusy)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (s *Store) makeImportDir() error {
	err := s.fs.Mkdir(importDir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = s.fs.SyncDir(".")
	}
	return err
}

// open strikes the notes out first: without its sidecar in import a message passes
// for one that was queued.
func (b *notebook) open(ctx context.Context, since time.Time) error {
	left, err := b.unqueued()
	if err != nil {
		return err
	}
	err = b.notes.open(ctx, func(n notedMessage) fate {
		switch {
		case left[n.id]:
			return struck
		case n.at < since.Unix():
			return expired
		}
		b.known[n.note] = struct{}{}
		return good
	})
	if err != nil {
		return err
	}
	return b.s.sweepNoted(left)
}

// unqueued lists the messages that an import died over.
func (b *notebook) unqueued() (map[spool.ID]bool, error) {
	left := map[spool.ID]bool{}
	err := b.s.list(importDir, func(name []byte) bool {
		if id, ok := strings.CutPrefix(string(name), "."); ok && spool.ID(id).Valid() {
			left[spool.ID(id)] = true
		}
		return true
	})
	return left, err
}

// sweepNoted removes messages that were never queued: their bodies, which are in tmp
// or in cur, then their sidecars. Half a message in cur must not come back.
func (s *Store) sweepNoted(left map[spool.ID]bool) error {
	if len(left) == 0 {
		return nil
	}
	for id := range left {
		for _, dir := range []string{tmpDir, curDir} {
			swept, err := s.sweepLocked(bodyPath(dir, id), func() error { return nil })
			if err == nil && !swept {
				err = fmt.Errorf("%s/%s: %w", dir, id, spool.ErrBusy)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := s.fs.SyncDir(curDir); err != nil {
		return err
	}
	for id := range left {
		if err := ignoreMissing(s.fs.Unlink(notedSide(id))); err != nil {
			return err
		}
	}
	return nil
}

func (b *notebook) Has(n spool.Note) bool {
	_, known := b.known[n]
	return known
}

func (b *notebook) New(_ context.Context, id spool.ID) (spool.Draft, error) {
	return b.s.newDraft(&draft{s: b.s, id: id, noted: true})
}

// Commit makes the drafts durable where they are, then the notes, and then renames.
// A sidecar follows when it is sure that its body is in cur.
func (b *notebook) Commit(_ context.Context, notes [][]spool.Note, drafts ...spool.Draft) (int, error) {
	own, err := b.own(drafts)
	if err != nil || len(own) == 0 {
		return 0, err
	}
	if err := b.synced(syncDrafts(own)); err != nil {
		return 0, err
	}
	if err := b.synced(b.s.fs.SyncDir(importDir)); err != nil {
		return 0, err
	}
	before := b.notes.size
	if err := b.note(linesOf(notes, own)); err != nil {
		return 0, b.takeBack(before, nil, own, err)
	}
	n, err := b.rename(own)
	if errors.Is(err, spool.ErrUnsure) {
		return 0, b.takeBack(before, nil, own, err)
	}
	if err != nil {
		err = b.takeBack(before, linesOf(notes, own[:n]), own[n:], err)
	}
	for i, d := range own[:n] {
		for _, note := range notes[i] {
			b.known[note] = struct{}{}
		}
		d.close()
	}
	return n, err
}

// own are the drafts as those of this store, if they are ready to be queued.
func (b *notebook) own(drafts []spool.Draft) ([]*draft, error) {
	if b.unsynced != nil {
		// Not %w: what is tried again when there is more room must not be this.
		return nil, fmt.Errorf("nothing more is queued, for a sync failed: %v", b.unsynced) //nolint:errorlint // see above
	}
	own := make([]*draft, len(drafts))
	for i, d := range drafts {
		var ok bool
		if own[i], ok = d.(*draft); !ok || !own[i].noted || own[i].side == nil || own[i].done {
			return nil, fmt.Errorf("message %s is not sealed", d.ID())
		}
	}
	return own, nil
}

// synced notes that a sync failed.
func (b *notebook) synced(err error) error {
	if err != nil {
		b.unsynced = err
	}
	return err
}

// linesOf are the notes of the drafts as they are written.
func linesOf(notes [][]spool.Note, drafts []*draft) []notedMessage {
	lines := make([]notedMessage, 0, len(drafts))
	for i, d := range drafts {
		for _, note := range notes[i] {
			lines = append(lines, notedMessage{note, d.next.Unix(), d.id})
		}
	}
	return lines
}

func (b *notebook) note(lines []notedMessage) error {
	if err := b.notes.add(lines); err != nil {
		return err
	}
	return b.synced(b.notes.file.Sync())
}

// rename renames all bodies, makes that durable, and then all sidecars.
func (b *notebook) rename(drafts []*draft) (n int, failed error) {
	bodies := 0
	for ; bodies < len(drafts) && failed == nil; bodies++ {
		if failed = drafts[bodies].renameBody(); failed != nil {
			break
		}
	}
	if failed == nil {
		failed = b.synced(b.s.fs.SyncDir(curDir))
	}
	for ; n < len(drafts) && failed == nil; n++ {
		if failed = b.s.fs.Rename(drafts[n].tmpSide(), drafts[n].curSide()); failed != nil {
			break
		}
	}
	for _, d := range drafts[n:bodies] {
		failed = errors.Join(failed, d.bodyBack())
	}
	if n > 0 {
		if err := b.synced(b.s.fs.SyncDir(curDir)); err != nil {
			return 0, unsure(drafts[:n], err)
		}
	}
	return n, failed
}

// takeBack leaves of the notes just added only those of messages that were queued.
// If that fails, the drafts of the others keep their files: they tell the next import.
func (b *notebook) takeBack(before int64, queued []notedMessage, lost []*draft, cause error) error {
	err := b.notes.truncate(before)
	if err == nil && len(queued) > 0 {
		err = b.note(queued)
	}
	if b.synced(err) == nil {
		return cause
	}
	for _, d := range lost {
		if !d.done {
			d.close()
		}
	}
	return errors.Join(cause, err)
}

func (b *notebook) Close() error { return errors.Join(b.notes.close(), b.lock.Close()) }
