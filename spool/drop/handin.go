package drop

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// ErrRefused: the message itself cannot be handed in, or collected.
var ErrRefused = errors.New("refused")

// The two modes of a file in drop/, and what they say.
const (
	modeWriting  = 0o600 // nobody but its writer reads it: it is not a message yet
	modeComplete = 0o640 // the spool's group, that is, its user, may collect it
)

// Folder is the way in for a user who may not write the spool. It is what intake
// needs of a spool.Store.
type Folder struct {
	fs  fsys.FS
	dir string // the spool's, for error texts
	gid uint32
}

// Open looks at the drop of the spool in dir. A *Problem says why mail cannot be
// handed in there, and what the administrator can do.
func Open(dir string) (*Folder, error) {
	d, err := fsys.Enter(dir)
	if err != nil {
		return nil, cannotHandIn(dir, fsys.Info{}, err)
	}
	f, err := open(d, dir)
	if err != nil {
		d.Close()
	}
	return f, err
}

func open(d fsys.FS, dir string) (*Folder, error) {
	owner, st, err := examine(d, dir)
	if err != nil {
		return nil, cannotHandIn(dir, owner, err)
	}
	return &Folder{fs: d, dir: dir, gid: st.GID}, nil
}

func path(name string) string { return Name + "/" + name }

// New creates a file that only its writer can read.
func (f *Folder) New(_ context.Context, id spool.ID) (spool.Draft, error) {
	if !isNewID(id) {
		return nil, fmt.Errorf("%q is not the queue id of a new message", id)
	}
	file, err := f.fs.Open(path(string(id)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, modeWriting)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: %w", id, spool.ErrExists)
	}
	if err != nil {
		return nil, err
	}
	d := &draft{f: f, id: id, file: file, sum: fnv.New64a()}
	st, err := file.Stat()
	if err == nil && st.GID != f.gid {
		err = fmt.Errorf("%w: what is made in %s/%s does not get its group: is the file system mounted with nogrpid or an option like it?",
			fs.ErrPermission, f.dir, Name)
	}
	if err != nil {
		return nil, errors.Join(err, d.Abort())
	}
	d.inode = st.Inode
	return d, nil
}

// draft is a file being written. Behind the room for the head come the octets of the
// message.
type draft struct {
	f      *Folder
	id     spool.ID
	file   fsys.File
	inode  uint64
	size   int64
	sum    hash.Hash64
	sealed bool
	done   bool
}

func (d *draft) ID() spool.ID { return d.id }

func (d *draft) Len() int64 { return d.size }

func (d *draft) Write(p []byte) (int, error) {
	n, err := d.file.WriteAt(p, int64(headSize)+d.size)
	d.size += int64(n)
	d.sum.Write(p[:n])
	return n, err
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	return io.NewSectionReader(d.file, int64(headSize), d.size).ReadAt(p, off)
}

var errEvents = errors.New("only a new message can be handed in")

// Seal writes the envelope behind the message, and the head. Nothing has happened to a message
// that is handed in.
func (d *draft) Seal(env spool.Envelope, events ...spool.Event) error {
	if len(events) > 0 {
		return errEvents
	}
	env.ID, env.Size = d.id, d.size
	text, err := spool.AppendJSON(nil, env)
	if err != nil {
		return err
	}
	if len(text) > maxEnvelope {
		return fmt.Errorf("%w: the envelope has %d octets, %d can be handed in: name fewer recipients", ErrRefused, len(text), maxEnvelope)
	}
	d.sum.Write(text)
	if _, err := d.file.WriteAt(text, int64(headSize)+d.size); err != nil {
		return err
	}
	_, err = d.file.WriteAt(formatHead(d.size, int64(len(text)), d.sum.Sum64()), 0)
	d.sealed = err == nil
	return err
}

// Abort removes the file.
func (d *draft) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	return errors.Join(ignoreMissing(d.f.fs.Unlink(path(string(d.id)))), d.file.Close())
}

// Commit hands the drafts in, durably. The change of mode is the commit point; a
// flush may collect a message before Commit returns.
//
// The folder itself cannot be synced: fsync(2) needs it open, opening it needs the right
// to read it, and who may read it can list other users' mail. An fsync of the message does
// not promise that its entry in the folder is durable: with it instead, the power-cut tests
// lose mail. syncfs(2) on the message's descriptor makes durable whatever the file system has
// to write, the new mode and the entry in the folder among it.
func (f *Folder) Commit(_ context.Context, drafts ...spool.Draft) (n int, err error) {
	for _, d := range drafts {
		own, ok := d.(*draft)
		if !ok || !own.sealed || own.done {
			return n, fmt.Errorf("message %s is not sealed", d.ID())
		}
		if err := own.complete(); err != nil {
			return n, err
		}
		if err := own.file.SyncFS(); err != nil {
			return n, fmt.Errorf("%w: %w", spool.ErrUnsure, errors.Join(err, own.Abort()))
		}
		own.done = true
		own.file.Close()
		n++
	}
	return n, nil
}

// complete makes the file a message: content first, so that a file of that mode is
// whole even after a power cut. The head was written just before, so the file is not
// old; if it has lost its name nevertheless, it was old and swept before that.
func (d *draft) complete() error {
	if err := d.file.Sync(); err != nil {
		return err
	}
	st, err := d.f.fs.Stat(path(string(d.id)))
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Inode != d.inode {
		return fmt.Errorf("the message was written for longer than a day, and removed as left over: %w", fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	return d.file.Chmod(modeComplete)
}
