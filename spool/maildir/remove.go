package maildir

import (
	"errors"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/advice"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/reuse"
	"notices/spool/maildir/sidecar"
)

// doneMode marks a body whose message is finished, before its sidecar goes: found alone
// later, it is left over and no mail whose sidecar was lost. The sticky bit means nothing
// on a file, so that nobody else's has this mode.
const doneMode = advice.DoneMode

// Remove adds the message to the history, marks the body, unlinks the sidecar, makes that
// durable, and unlinks the body. On an error before the sidecar is gone the claim goes on, so
// that the caller can write down that the message is finished. Whoever finishes a removal adds
// nothing to the history: the record may lack what last says.
func (c *claim) Remove(last spool.Event, d spool.Durability) error {
	if c.done {
		return errOver
	}
	c.addHistory(last)
	if d == spool.Soon && leave(c) {
		return nil
	}
	if err := c.body.Chmod(doneMode); err != nil {
		return c.removeUnmarked(err)
	}
	return c.removeMarked(d)
}

// leave removes the message by leaving its files for others (package reuse), and reports whether it
// did. That the sidecar is in tmp marks the message as finished.
func leave(c *claim) bool {
	if !c.ours || c.body.size > reuse.MaxBody || c.side.Size > sidecar.BlockSize || c.side.Shared() {
		return false
	}
	id := c.entry.ID
	p := reuse.Pair{
		Body: c.body.File, Side: c.side.File, Message: bodyOf(c.entry),
		TmpBody: bodyPath(tmpDir, id), TmpSide: tmpSidecar(id), Size: c.body.size, SideSize: c.side.Size,
	}
	if !c.s.soon.pool.Leave(p, sidecarOf(c.entry)) {
		return false
	}
	c.body.File, c.side.File = closedFile{}, closedFile{}
	_ = c.close()
	c.s.soon.addHistory()
	return true
}

// removeMarked removes a message whose body is marked as finished.
func (c *claim) removeMarked(d spool.Durability) error {
	dir, left := folderOf(c.entry.State), c.side.imported()
	if err := ignoreMissing(c.s.folders.removeSidecar(sidecarOf(c.entry), left)); err != nil {
		return c.s.folders.withRepair(err, dir, imports.Dir, sidecarOf(c.entry))
	}
	c.s.soon.addBody(removedBody{dir, bodyOf(c.entry), c.body.File, left})
	c.body.File = closedFile{}
	err := c.close()
	if d == spool.Now {
		err = errors.Join(err, c.s.soon.run())
	}
	return err
}

// removeUnmarked is for a body whose mode we may not change: another user's, or immutable.
// The body can go first if the record says that the message is finished: Repair removes such
// a sidecar.
func (c *claim) removeUnmarked(cause error) error {
	body, dir, left := bodyOf(c.entry), folderOf(c.entry.State), c.side.imported()
	if !c.side.Record.Finished() {
		return c.s.folders.withRepair(cause, body)
	}
	err := c.side.Sync()
	if err == nil {
		err = c.s.folders.Unlink(body)
	}
	if err != nil {
		return c.s.folders.withRepair(err, dir, body)
	}
	err = c.s.folders.SyncDir(dir)
	if err == nil {
		err = ignoreMissing(c.s.folders.removeSidecar(sidecarOf(c.entry), left))
	}
	if err == nil {
		_ = c.s.soon.journal.HandOver([]imports.Message{left})
	}
	return errors.Join(err, c.close())
}

// removeSidecar takes the sidecar of a message out of cur or failed.
func (f folders) removeSidecar(path string, m imports.Message) error {
	if len(m.Keys) == 0 {
		return f.Unlink(path)
	}
	return f.ensure(func() error { return f.Replace(path, imports.Path(m.ID)) })
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
	if c.done {
		return errOver
	}
	if e.Kind == spool.GiveUp {
		c.addHistory(e) // first, since whoever finishes the move adds nothing
		c.s.soon.addHistory()
	}
	if e.Kind != spool.GiveUp || !c.side.Record.GivenUp { // else an earlier move failed behind it
		if err := errors.Join(c.side.append(e), c.side.Sync()); err != nil {
			return err
		}
	}
	to := c.side.Record.Entry()
	if err := c.s.folders.movePair(c.entry, to); err != nil {
		return c.s.folders.withRepair(err, curDir, failedDir, bodyOf(c.entry))
	}
	c.entry = to
	return c.close()
}
