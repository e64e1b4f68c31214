package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/advice"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/sidecar"
	"notices/spool/maildir/values"
)

// The folders of a spool.
const (
	tmpDir    = "tmp"
	curDir    = "cur"
	failedDir = "failed"
	asideDir  = "aside"
	stateDir  = values.Dir
)

// folders are those of one spool, and the steps that need only the file system.
type folders struct {
	fsys.FS
	dir string // where they are, for messages
}

// folderOf is the folder of messages in that state.
func folderOf(s spool.MessageState) string {
	if s == spool.StateFailed {
		return failedDir
	}
	return curDir
}

// otherFolder is cur for failed, and failed for cur.
func otherFolder(dir string) string {
	if dir == failedDir {
		return curDir
	}
	return failedDir
}

func bodyPath(dir string, id spool.ID) string { return dir + "/" + string(id) }

// tmpSidecar is the path of the sidecar of a message that is being written.
func tmpSidecar(id spool.ID) string { return tmpDir + "/." + string(id) }

// bodyOf is the path of the body of a listed message.
func bodyOf(e spool.Entry) string { return bodyPath(folderOf(e.State), e.ID) }

// sidecarOf is the path of its sidecar.
func sidecarOf(e spool.Entry) string { return folderOf(e.State) + "/" + sidecar.Name(e) }

// create makes the folders. It is called when one turned out to be missing, so that an
// enqueue need not check for them. tmp is made last: if it exists, the others do.
func (f folders) create() error {
	for _, dirs := range [][]string{{curDir, failedDir, asideDir, stateDir, imports.Dir}, {tmpDir}} {
		for _, dir := range dirs {
			err := f.Mkdir(dir, 0o700)
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return notASpool(err)
			}
		}
		if err := f.SyncDir("."); err != nil {
			return err
		}
	}
	return nil
}

// notASpool marks an error that tells that something else is where a folder should be.
func notASpool(err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", spool.ErrNoSpool, err)
	}
	return err
}

// ensure runs a step, and again after making the folders if one was missing.
func (f folders) ensure(step func() error) error {
	err := step()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.create(); err != nil {
		return err
	}
	return step()
}

// list is a listing that takes a folder not yet made for an empty one.
func (f folders) list(dir string, yield func(name []byte) bool) error {
	return notASpool(ignoreMissing(f.List(dir, yield)))
}

// usage adds up the sizes of the files in some folders.
func (f folders) usage(ctx context.Context, dirs ...string) (total int64, err error) {
	for _, dir := range dirs {
		err := f.list(dir, func(name []byte) bool {
			if st, err := f.Stat(dir + "/" + string(name)); err == nil {
				total += st.Size
			}
			return ctx.Err() == nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total, ctx.Err()
}

// record reads a sidecar; nil without an error: it is torn.
func (f folders) record(path string) (*spool.Record, error) {
	side, err := f.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer side.Close()
	got, err := sidecar.Read(side)
	if errors.As(err, new(*fs.PathError)) {
		return nil, err
	}
	return got.Record, nil
}

// locked reports whether a living process has a file.
func (f folders) locked(path string) bool {
	file, err := f.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(file.Lock(false), fsys.ErrLocked)
}

func (f folders) sameFile(one, other string) bool {
	a, missing := f.Stat(one)
	b, gone := f.Stat(other)
	return missing == nil && gone == nil && a.Inode == b.Inode
}

// movePair moves a message between cur and failed, durably.
func (f folders) movePair(from, to spool.Entry) error {
	return errors.Join(f.renamePair(from, to), f.SyncDir(folderOf(to.State)), f.SyncDir(folderOf(from.State)))
}

func (f folders) renamePair(from, to spool.Entry) error {
	err := f.Rename(bodyOf(from), bodyOf(to))
	if err == nil {
		err = f.Rename(sidecarOf(from), sidecarOf(to))
	}
	return err
}

// setAside moves a name of a message folder to aside/, under a name that is free.
func (f folders) setAside(dir, name string) (moved string, err error) {
	for n := 0; ; n++ {
		moved = asideDir + "/" + name
		if n > 0 {
			moved = fmt.Sprintf("%s.%d", moved, n)
		}
		err = f.ensure(func() error { return f.Rename(dir+"/"+name, moved) })
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return moved, err
		}
	}
}

// withRepair adds to an error the command that repairs it. names are what may be its cause.
func (f folders) withRepair(err error, names ...string) error {
	return advice.Add(err, f.FS, f.dir, names...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
