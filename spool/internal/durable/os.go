package durable

import (
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// osFS is the real thing: system calls relative to one open folder.
type osFS struct {
	path string // for error texts
	fd   int
	// give: root works in somebody else's folder. What it makes there belongs to the
	// folder's owner, or that owner would be locked out of his own spool.
	give     bool
	uid, gid int
}

// Open opens an existing folder as an FS.
func Open(dir string) (FS, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	d := &osFS{path: dir, fd: fd}
	return d, d.findOwner()
}

// Enter opens an existing folder that the caller may enter and perhaps not read. In
// what is reached by it, files can be made and opened by name; SyncDir and List ask
// the system as ever. What is made belongs to the process, root's too.
func Enter(dir string) (FS, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(dir, enterOnly|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	return &osFS{path: dir, fd: fd}, nil
}

func (d *osFS) findOwner() error {
	if unix.Geteuid() != 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return pathError("stat", d.path, err)
	}
	d.uid, d.gid, d.give = int(st.Uid), int(st.Gid), st.Uid != 0
	return nil
}

func (d *osFS) full(name string) string { return filepath.Join(d.path, name) }

func (d *osFS) Open(name string, flags int, perm uint32) (File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, perm)
		return err
	})
	if err != nil {
		return nil, pathError("open", d.full(name), refusedLink(err))
	}
	if d.give && flags&unix.O_CREAT != 0 {
		if err := unix.Fchown(fd, d.uid, d.gid); err != nil {
			unix.Close(fd)
			return nil, pathError("chown", d.full(name), err)
		}
	}
	return &osFile{dir: d, name: name, fd: fd}, nil
}

func (d *osFS) Rename(from, to string) error {
	err := renameNew(d.fd, from, to)
	if err == errNoRenameNew {
		err = linkAndUnlink(d.fd, from, to)
	}
	return pathError("rename", d.full(to), err)
}

// linkAndUnlink is a rename that never replaces, where the system or the file system has
// none in one step. A process that dies between the two leaves both names of one file;
// whoever sweeps a folder knows them by their inode.
func linkAndUnlink(fd int, from, to string) error {
	err := unix.Linkat(fd, from, fd, to, 0)
	if err == nil {
		err = unix.Unlinkat(fd, from, 0)
	}
	return err
}

func (d *osFS) Replace(from, to string) error {
	return pathError("rename", d.full(to), unix.Renameat(d.fd, from, d.fd, to))
}

func (d *osFS) Unlink(name string) error {
	return pathError("unlink", d.full(name), unix.Unlinkat(d.fd, name, 0))
}

func (d *osFS) RemoveDir(name string) error {
	return pathError("rmdir", d.full(name), unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

func (d *osFS) Mkdir(name string, perm uint32) error {
	err := unix.Mkdirat(d.fd, name, perm)
	if err == nil && d.give {
		err = unix.Fchownat(d.fd, name, d.uid, d.gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	return pathError("mkdir", d.full(name), err)
}

func (d *osFS) SyncDir(name string) error {
	fd, err := d.openDir(name)
	if err != nil {
		return err
	}
	err = retry(func() error { return syncDir(fd) })
	unix.Close(fd)
	return pathError("fsync", d.full(name), err)
}

func (d *osFS) openDir(name string) (int, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, pathError("open", d.full(name), err)
}

func (d *osFS) Stat(name string) (Info, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return info(&st), pathError("stat", d.full(name), err)
}

func (d *osFS) Close() error { return unix.Close(d.fd) }

func (d *osFS) List(name string, yield func(name []byte) bool) error {
	fd, err := d.openDir(name)
	if err != nil {
		return err
	}
	return pathError("readdir", d.full(name), list(fd, yield))
}

type osFile struct {
	dir  *osFS
	name string
	fd   int
}

func (f *osFile) fail(op string, err error) error { return pathError(op, f.dir.full(f.name), err) }

func (f *osFile) Write(p []byte) (int, error) {
	return f.writeAll(p, func(p []byte) (int, error) { return unix.Write(f.fd, p) })
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	return f.writeAll(p, func(p []byte) (n int, err error) {
		n, err = unix.Pwrite(f.fd, p, off)
		off += int64(max(n, 0))
		return n, err
	})
}

func (f *osFile) writeAll(p []byte, write func([]byte) (int, error)) (int, error) {
	done := 0
	for done < len(p) {
		n, err := write(p[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, f.fail("write", err)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(f.fd, p[done:], off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, f.fail("read", err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (f *osFile) ReadOnce(p []byte, off int64) (n int, err error) {
	err = retry(func() (err error) {
		n, err = unix.Pread(f.fd, p, off)
		return err
	})
	return max(n, 0), f.fail("read", err)
}

func (f *osFile) Truncate(size int64) error {
	err := retry(func() error { return unix.Ftruncate(f.fd, size) })
	if err == nil {
		_, err = unix.Seek(f.fd, size, io.SeekStart)
	}
	return f.fail("truncate", err)
}

func (f *osFile) Chmod(mode uint32) error { return f.fail("chmod", unix.Fchmod(f.fd, mode)) }

func (f *osFile) Stat() (Info, error) {
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	return info(&st), f.fail("stat", err)
}

// StartSync is a hint: a file system that does not take it writes in Sync.
func (f *osFile) StartSync() { startSync(f.fd) }

func (f *osFile) Sync() error {
	return f.fail("fsync", retry(func() error { return syncFile(f.fd) }))
}

func (f *osFile) SyncFS() error {
	return f.fail("syncfs", retry(func() error { return syncFS(f.fd) }))
}

func (f *osFile) Lock(wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	err := retry(func() error { return unix.Flock(f.fd, how) })
	if err == unix.EWOULDBLOCK {
		return ErrLocked
	}
	return f.fail("lock", err)
}

// Allocate writes the room where the system or the file system cannot reserve it.
func (f *osFile) Allocate(size int64) error {
	err := retry(func() error { return allocate(f.fd, size) })
	if err != errNoAllocate {
		return f.fail("allocate", err)
	}
	now, err := f.Stat()
	if err != nil || now.Size >= size {
		return err
	}
	_, err = f.WriteAt(make([]byte, size-now.Size), now.Size)
	return err
}

func (f *osFile) Close() error {
	if f.fd < 0 {
		return nil
	}
	err := unix.Close(f.fd)
	f.fd = -1
	return f.fail("close", err)
}

func info(st *unix.Stat_t) Info {
	mode := uint32(wide(st.Mode))
	modified, _ := st.Mtim.Unix()
	return Info{
		Size:    st.Size,
		Links:   wide(st.Nlink),
		Mode:    mode & 0o7777,
		Regular: mode&unix.S_IFMT == unix.S_IFREG,
		Dir:     mode&unix.S_IFMT == unix.S_IFDIR,
		Inode:   st.Ino,
		ModTime: modified,
		UID:     st.Uid,
		GID:     st.Gid,
	}
}

// wide is for the fields whose width differs from one system to the next.
func wide[T ~uint16 | ~uint32 | ~uint64](v T) uint64 { return uint64(v) }
