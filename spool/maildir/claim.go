package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// claim is a locked body and its open sidecar.
type claim struct {
	s     *Store
	entry spool.Entry // as the listing has it now
	body  *openBody
	side  *sharedFile
	rec   *spool.Record
	end   int64 // where the next line goes
	room  int64 // size of the sidecar
	sum   sidecar.Checksum
	done  bool
}

// openBody is the message, read only.
type openBody struct {
	fsys.File
	size int64
}

func (b *openBody) Size() int64 { return b.size }

// Claim locks the body, then opens the sidecar under the listed name: if it is not
// there any more, another worker was faster.
func (s *Store) Claim(_ context.Context, e spool.Entry) (spool.Claim, error) {
	c := &claim{s: s, entry: e}
	if err := c.open(); err != nil {
		c.close()
		return nil, err
	}
	s.claims.Store(c, nil)
	return c, nil
}

func (c *claim) open() error {
	f, err := c.s.fs.Open(bodyPath(folderOf(c.entry.State), c.entry.ID), unix.O_RDONLY, 0)
	if notAFile(err) {
		return c.setAside("the message is not a file")
	}
	if err != nil {
		return c.unusable(bodyPath(folderOf(c.entry.State), c.entry.ID), err)
	}
	c.body = &openBody{File: f}
	if err := f.Lock(false); err != nil {
		return c.lockedOut(err)
	}
	side, err := c.s.fs.Open(c.sidePath(), unix.O_RDWR, 0)
	if notAFile(err) {
		return c.setAside("its sidecar is not a file")
	}
	if err != nil {
		return c.unusable(c.sidePath(), err)
	}
	c.side = share(side)
	return c.read()
}

// lockedOut distinguishes a message in flight from one that has left or was renamed.
func (c *claim) lockedOut(err error) error {
	if !errors.Is(err, fsys.ErrLocked) {
		return err
	}
	if _, err := c.s.fs.Stat(c.sidePath()); err != nil {
		return c.gone(err)
	}
	return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrBusy)
}

// notAFile reports whether opening or reading failed because it is a link, a folder, a fifo
// or a device.
func notAFile(err error) bool {
	return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) ||
		errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ESPIPE)
}

func (c *claim) gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrGone)
	}
	return err
}

// unusable marks an error that concerns this message alone: a file that belongs to another
// user, may not be opened, is immutable, or cannot be read from the disk.
func (c *claim) unusable(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EIO) {
		return fmt.Errorf("%w: %w", spool.ErrUnusable, c.s.withRepair(err, name, folderOf(c.entry.State)))
	}
	return c.gone(err)
}

func (c *claim) sidePath() string { return folderOf(c.entry.State) + "/" + sidecar.Name(c.entry) }

// read folds the sidecar and checks that the pair belongs together. A body without
// a name was removed, and its id given to a new message, since it was opened.
func (c *claim) read() error {
	st, err := c.body.Stat()
	if err != nil {
		return err
	}
	if st.Links == 0 {
		return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrGone)
	}
	got, err := sidecar.Read(c.side)
	c.rec, c.end, c.sum, c.room, c.body.size = got.Record, got.End, got.Sum, got.Size, st.Size
	switch {
	case st.Mode == doneMode && st.Regular:
		return c.finishRemoval()
	case notAFile(err):
		return c.setAside("its sidecar is not a file")
	case errors.As(err, new(*fs.PathError)):
		return c.unusable(c.sidePath(), err)
	case err != nil:
		return c.setAside(err.Error())
	case !st.Regular:
		return c.setAside("the message is not a file")
	case c.rec.Envelope.ID != c.entry.ID:
		return c.setAside("the sidecar belongs to message " + string(c.rec.Envelope.ID))
	case c.rec.Envelope.Size != st.Size:
		return c.setAside(fmt.Sprintf("the message has %d octets, its sidecar says %d", st.Size, c.rec.Envelope.Size))
	}
	return nil
}

// finishRemoval is for a body that is marked: the message was finished, whatever its
// sidecar says, and the removal was cut short.
func (c *claim) finishRemoval() error {
	if err := c.removeMarked(spool.Soon); err != nil {
		return fmt.Errorf("%w: it is finished, but cannot be removed: %w", spool.ErrUnusable, err)
	}
	return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrGone)
}

// setAside moves the pair, which cannot be understood, out of the way.
func (c *claim) setAside(why string) error {
	dir := folderOf(c.entry.State)
	moved, err := c.s.aside(dir, string(c.entry.ID))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if _, e := c.s.aside(dir, sidecar.Name(c.entry)); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return c.unusable(bodyPath(dir, c.entry.ID), fmt.Errorf("%s, and cannot be moved to aside/: %w", why, err))
	}
	return fmt.Errorf("%s: %w: %s (%s)", c.entry.ID, spool.ErrDamaged, why, moved)
}

// errOver: the claim has ended.
var errOver = errors.New("the claim on the message is over")

func (c *claim) Entry() spool.Entry { return c.entry }

func (c *claim) Record() *spool.Record { return c.rec }

func (c *claim) Body() spool.Body { return c.body }

// Begin makes room for the result first: an attempt whose outcome could not be
// written down must not be made.
func (c *claim) Begin(e spool.Event) error {
	if c.done {
		return errOver
	}
	line, sum, err := sidecar.NewLine(c.sum, e)
	if err != nil {
		return err
	}
	if err := c.s.soon.backgroundError(); err != nil {
		return err // what a server took before may not be on disk
	}
	need := c.end + int64(len(line)) + sidecar.RoomFor(len(c.rec.Pending()))
	if need > c.room {
		need = (need + sidecar.BlockSize - 1) / sidecar.BlockSize * sidecar.BlockSize
		if err := c.side.Allocate(need); err != nil {
			return err
		}
		c.room = need
	}
	return c.write(e, line, sum)
}

func (c *claim) write(e spool.Event, line []byte, sum sidecar.Checksum) error {
	if c.end+int64(len(line)) > sidecar.MaxSize {
		return sidecar.ErrLong
	}
	if _, err := c.side.WriteAt(line, c.end); err != nil {
		return err
	}
	c.end += int64(len(line))
	c.room, c.sum = max(c.room, c.end), sum
	c.rec.Apply(e)
	return nil
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	if err := c.append(e); err != nil {
		return err
	}
	c.renameToMatch()
	switch d {
	case spool.Now:
		return c.side.Sync()
	case spool.Soon:
		c.s.soon.addFile(c.side.addUser()) // the claim may end before
	}
	return nil
}

// append writes the event. When the disk is full it is cut to the room that Begin
// reserved: the texts of the replies go before the fact.
func (c *claim) append(e spool.Event) error {
	if c.done {
		return errOver
	}
	e = sidecar.MergeReplies(e, len(c.rec.Recipients))
	line, sum, err := sidecar.NewLine(c.sum, e)
	if err == nil {
		err = c.write(e, line, sum)
	}
	if err != nil {
		err = c.appendTruncated(e, err)
	}
	return err
}

// appendTruncated writes the event with shorter replies, if that fits.
func (c *claim) appendTruncated(e spool.Event, cause error) error {
	for _, limit := range []int{64, 0} {
		short := sidecar.TruncateReplies(e, limit)
		line, sum, err := sidecar.NewLine(c.sum, short)
		if err == nil && c.end+int64(len(line)) <= c.room {
			return c.write(short, line, sum)
		}
	}
	return cause
}

// renameToMatch renames the sidecar to what the record says. The name is a hint: where
// that fails, the next run looks into the message too early and tries again.
func (c *claim) renameToMatch() {
	want := sidecar.EntryOf(c.rec)
	if folderOf(want.State) != folderOf(c.entry.State) || sidecar.Name(want) == sidecar.Name(c.entry) {
		return
	}
	from := c.sidePath()
	if c.s.fs.Rename(from, folderOf(want.State)+"/"+sidecar.Name(want)) == nil {
		c.entry = want
	}
}

// Release brings the name in line and lets go.
func (c *claim) Release() error {
	if c.done {
		return nil
	}
	c.renameToMatch()
	return c.close()
}

func (c *claim) close() error {
	c.done = true
	c.s.claims.Delete(c)
	var err error
	if c.side != nil {
		err = c.side.Close()
	}
	if c.body != nil {
		err = errors.Join(err, c.body.Close())
	}
	return err
}
