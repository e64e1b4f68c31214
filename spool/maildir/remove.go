package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// doneMode marks a body whose message is finished, before its sidecar goes: found alone
// later, it is left over and no mail whose sidecar was lost. The sticky bit means nothing
// on a file, so that nobody else's has this mode.
const doneMode = 0o1400

// Remove marks the body, unlinks the sidecar, makes that durable, and unlinks the body.
// On an error before the sidecar is gone the claim goes on, so that the caller can write
// down that the message is finished.
func (c *claim) Remove(d spool.Durability) error {
	if c.done {
		return errOver
	}
	if err := c.body.Chmod(doneMode); err != nil {
		return c.removeUnmarked(err)
	}
	return c.removeMarked(d)
}

// removeMarked removes a message whose body is marked as finished.
func (c *claim) removeMarked(d spool.Durability) error {
	dir := folderOf(c.entry.State)
	if err := c.removeSidecar(); err != nil {
		return c.s.withRepair(err, dir, importDir, c.sidePath())
	}
	c.s.soon.addBody(removedBody{dir, bodyPath(dir, c.entry.ID), c.body.File, c.imported()})
	c.body.File = closedFile{}
	err := c.close()
	if d == spool.Now {
		err = errors.Join(err, c.s.soon.run())
	}
	return err
}

func (c *claim) removeSidecar() error {
	return ignoreMissing(c.s.removeSidecar(c.sidePath(), c.imported()))
}

// imported has no keys if the message was not imported, or its record cannot be read.
func (c *claim) imported() imported {
	if c.rec == nil {
		return imported{}
	}
	return imported{c.rec.Envelope.ID, c.rec.Envelope.ImportKeys}
}

// removeUnmarked is for a body whose mode we may not change: another user's, or immutable.
// The body can go first if the record says that the message is finished: Repair removes such
// a sidecar.
func (c *claim) removeUnmarked(cause error) error {
	body, dir := bodyPath(folderOf(c.entry.State), c.entry.ID), folderOf(c.entry.State)
	if !c.rec.Finished() {
		return c.s.withRepair(cause, body)
	}
	err := c.side.Sync()
	if err == nil {
		err = c.s.fs.Unlink(body)
	}
	if err != nil {
		return c.s.withRepair(err, dir, body)
	}
	err = c.s.fs.SyncDir(dir)
	if err == nil {
		err = c.removeSidecar()
	}
	if err == nil {
		_ = c.s.soon.journal.handOver([]imported{c.imported()})
	}
	return errors.Join(err, c.close())
}

// closedFile takes the place of a body that the syncer keeps.
type closedFile struct{ fsys.File }

func (closedFile) ReadAt([]byte, int64) (int, error) { return 0, errOver }
func (closedFile) Close() error                      { return nil }

// Fail moves the pair to failed.
func (c *claim) Fail(e spool.Event) error {
	e.Kind = spool.GiveUp
	return c.move(e)
}

// Revive moves the pair back to cur.
func (c *claim) Revive(e spool.Event) error {
	e.Kind, e.Fresh = spool.Retry, true
	return c.move(e)
}

// move appends the event that says where the message belongs, then renames the
// pair. Stopped half way, the record tells Repair which way to go.
func (c *claim) move(e spool.Event) error {
	if e.Kind != spool.GiveUp || !c.rec.GivenUp { // else an earlier move failed behind it
		if err := errors.Join(c.append(e), c.side.Sync()); err != nil {
			return err
		}
	}
	if err := c.s.movePair(c.entry, sidecar.EntryOf(c.rec)); err != nil {
		return c.s.withRepair(err, curDir, failedDir, bodyPath(folderOf(c.entry.State), c.entry.ID))
	}
	c.entry = sidecar.EntryOf(c.rec)
	return c.close()
}

func (s *Store) movePair(from, to spool.Entry) error {
	fromDir, toDir := folderOf(from.State), folderOf(to.State)
	err := s.fs.Rename(bodyPath(fromDir, from.ID), bodyPath(toDir, to.ID))
	if err == nil {
		err = s.fs.Rename(fromDir+"/"+sidecar.Name(from), toDir+"/"+sidecar.Name(to))
	}
	return errors.Join(err, s.fs.SyncDir(toDir), s.fs.SyncDir(fromDir))
}

// aside moves a name of a message folder to aside/, under a name that is free.
func (s *Store) aside(dir, name string) (moved string, err error) {
	for n := 0; ; n++ {
		moved = asideDir + "/" + name
		if n > 0 {
			moved = fmt.Sprintf("%s.%d", moved, n)
		}
		err = s.withLayout(func() error { return s.fs.Rename(filepath.Join(dir, name), moved) })
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return moved, err
		}
	}
}
