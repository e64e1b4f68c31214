package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
)

// claim is a locked body and its open sidecar.
type claim struct {
	s     *Store
	entry spool.Entry // as the listing has it now
	body  *openBody
	side  *openSidecar
	done  bool
	ours  bool // queued by this process just now: the body is open for writing, too
}

// openBody is the message, read only.
type openBody struct {
	fsys.File
	size int64
}

func (b *openBody) Size() int64 { return b.size }

// Claim locks the body, then opens the sidecar under the listed name. If it is not there
// any more, another worker has changed or removed the message meanwhile.
func (s *Store) Claim(_ context.Context, e spool.Entry) (spool.Claim, error) {
	c := &claim{s: s, entry: e}
	if d, ok := s.recent.Take(e.ID); !ok || !d.handOver(c) {
		if err := c.open(); err != nil {
			c.close()
			return nil, err
		}
	}
	s.claims.Store(c, nil)
	return c, nil
}

// handOver makes it the claim of a message that this process has queued just now, and still has open and
// locked.
func (d *draft) handOver(c *claim) bool {
	if d.curSide() != sidecarOf(c.entry) {
		d.Close()
		return false
	}
	d.at.Record = spool.NewRecord(d.env)
	c.body, c.side, c.ours = &openBody{d.body, d.size}, &openSidecar{fsys.Share(d.side), d.at}, true
	return true
}

func (c *claim) open() error {
	f, err := c.s.folders.Open(bodyOf(c.entry), unix.O_RDONLY, 0)
	if notAFile(err) {
		return c.setAside("the message is not a file")
	}
	if err != nil {
		return c.unusable(bodyOf(c.entry), err)
	}
	c.body = &openBody{File: f}
	if err = f.Lock(false); errors.Is(err, fsys.ErrLocked) {
		if _, err := c.s.folders.Stat(sidecarOf(c.entry)); err != nil {
			return goneError(c.entry.ID, err) // it has left or was renamed
		}
		return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrBusy)
	}
	if err != nil {
		return err
	}
	side, err := c.s.folders.Open(sidecarOf(c.entry), unix.O_RDWR, 0)
	if notAFile(err) {
		return c.setAside("its sidecar is not a file")
	}
	if err != nil {
		return c.unusable(sidecarOf(c.entry), err)
	}
	c.side = &openSidecar{SharedFile: fsys.Share(side)}
	return c.read()
}

// notAFile reports whether opening or reading failed because it is a link, a folder, a fifo
// or a device.
func notAFile(err error) bool {
	return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) ||
		errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ESPIPE)
}

// goneError says of a missing file that its message has left.
func goneError(id spool.ID, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", id, spool.ErrGone)
	}
	return err
}

// unusable marks an error that concerns this message alone: a file that belongs to another
// user, may not be opened, is immutable, or cannot be read from the disk.
func (c *claim) unusable(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EIO) {
		return fmt.Errorf("%w: %w", spool.ErrUnusable, c.s.folders.withRepair(err, name, folderOf(c.entry.State)))
	}
	return goneError(c.entry.ID, err)
}

// read reads the sidecar and checks that the pair belongs together. A body without
// a name was removed, and its id given to a new message, since it was opened.
func (c *claim) read() error {
	st, err := c.body.Stat()
	if err != nil {
		return err
	}
	if st.Links == 0 {
		return fmt.Errorf("%s: %w", c.entry.ID, spool.ErrGone)
	}
	c.side.Content, err = sidecar.Read(c.side)
	c.body.size = st.Size
	switch {
	case st.Mode == doneMode && st.Regular:
		return c.finishRemoval()
	case notAFile(err):
		return c.setAside("its sidecar is not a file")
	case errors.As(err, new(*fs.PathError)):
		return c.unusable(sidecarOf(c.entry), err)
	case err != nil:
		return c.setAside(err.Error())
	case !st.Regular:
		return c.setAside("the message is not a file")
	case c.side.Record.Envelope.ID != c.entry.ID:
		return c.setAside("the sidecar belongs to message " + string(c.side.Record.Envelope.ID))
	case c.side.Record.Envelope.Size != st.Size:
		return c.setAside(fmt.Sprintf("the message has %d octets, its sidecar says %d", st.Size, c.side.Record.Envelope.Size))
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
	moved, bodyErr := c.s.folders.setAside(dir, string(c.entry.ID))
	_, sideErr := c.s.folders.setAside(dir, sidecar.Name(c.entry))
	if err := errors.Join(ignoreMissing(bodyErr), ignoreMissing(sideErr)); err != nil {
		return c.unusable(bodyOf(c.entry), fmt.Errorf("%s, and cannot be moved to aside/: %w", why, err))
	}
	return fmt.Errorf("%s: %w: %s (%s)", c.entry.ID, spool.ErrDamaged, why, moved)
}

// errOver: the claim has ended.
var errOver = errors.New("the claim on the message is over")

func (c *claim) Entry() spool.Entry { return c.entry }

func (c *claim) Record() *spool.Record { return c.side.Record }

func (c *claim) Body() spool.Body { return c.body }

func (c *claim) Begin(e spool.Event) error {
	if c.done {
		return errOver
	}
	if err := c.s.soon.backgroundError(); err != nil {
		return err // what a server took before may not be on disk
	}
	return c.side.begin(e)
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	if c.done {
		return errOver
	}
	if err := c.side.append(e); err != nil {
		return err
	}
	c.renameToMatch()
	switch d {
	case spool.Now:
		return c.side.Sync()
	case spool.Soon:
		c.s.soon.addFile(c.side.AddUser()) // the claim may end before
	}
	return nil
}

// renameToMatch renames the sidecar to what the record says. The name is a hint: where
// that fails, the next run looks into the message too early and tries again.
func (c *claim) renameToMatch() {
	want := c.side.Record.Entry()
	from, to := sidecarOf(c.entry), sidecarOf(want)
	if folderOf(want.State) == folderOf(c.entry.State) && from != to && c.s.folders.Rename(from, to) == nil {
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

// openSidecar is the sidecar of a claimed message: what it says, and where to append to it.
type openSidecar struct {
	*fsys.SharedFile
	sidecar.Content
}

// begin appends a try. It makes room for the result first: an attempt whose outcome could
// not be written down must not be made.
func (f *openSidecar) begin(e spool.Event) error {
	line, sum, err := lines.New(f.Sum, e)
	if err != nil {
		return err
	}
	need := f.End + int64(len(line)) + sidecar.RoomFor(len(f.Record.Pending()))
	if need > f.Size {
		need = (need + sidecar.BlockSize - 1) / sidecar.BlockSize * sidecar.BlockSize
		if err := f.Allocate(need); err != nil {
			return err
		}
		f.Size = need
	}
	return f.write(e, line, sum)
}

// append writes any other event. When the disk is full it is cut to the room that begin
// reserved: the texts of the replies go before the fact.
func (f *openSidecar) append(e spool.Event) error {
	e = sidecar.MergeReplies(e, len(f.Record.Recipients))
	line, sum, err := lines.New(f.Sum, e)
	if err == nil {
		err = f.write(e, line, sum)
	}
	if err != nil {
		err = f.appendTruncated(e, err)
	}
	return err
}

// appendTruncated writes the event with shorter replies, if that fits.
func (f *openSidecar) appendTruncated(e spool.Event, cause error) error {
	for _, limit := range []int{64, 0} {
		short := sidecar.TruncateReplies(e, limit)
		line, sum, err := lines.New(f.Sum, short)
		if err == nil && f.End+int64(len(line)) <= f.Size {
			return f.write(short, line, sum)
		}
	}
	return cause
}

func (f *openSidecar) write(e spool.Event, line []byte, sum lines.Checksum) error {
	if f.End+int64(len(line)) > sidecar.MaxSize {
		return sidecar.ErrLong
	}
	if _, err := f.WriteAt(line, f.End); err != nil {
		return err
	}
	f.End += int64(len(line))
	f.Size, f.Sum = max(f.Size, f.End), sum
	f.Record.Apply(e)
	return nil
}

// imported is the message with its import keys. It has none if it was not imported, or its
// record cannot be read.
func (f *openSidecar) imported() imports.Message {
	if f.Record == nil {
		return imports.Message{}
	}
	return imports.Message{ID: f.Record.Envelope.ID, Keys: f.Record.Envelope.ImportKeys}
}
