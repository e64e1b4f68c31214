package fsys

import (
	"io"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// osFS is the real thing: system calls relative to open folders. No name given to the
// system has more than one part, so that no symbolic link on the way is ever followed. The
// folders are opened when they are first used.
type osFS struct {
	path  string // for error texts
	fd    int
	enter bool // fd is only for what is reached by it

	mu   sync.Mutex
	dirs map[string]int
	gone []int // folders made anew since; another goroutine may be using the old ones
}

// Open opens an existing folder as an FS.
func Open(dir string) (FS, error) { return openFS(dir, unix.O_RDONLY) }

// Enter opens an existing folder that the caller may enter and perhaps not read. In
// what is reached by it, files can be made and opened by name; SyncDir and List ask
// the system as ever.
func Enter(dir string) (FS, error) { return openFS(dir, enterOnly) }

func openFS(dir string, how int) (FS, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(dir, how|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	return &osFS{path: dir, fd: fd, enter: how == enterOnly}, nil
}

// at is where the system finds a name: an open folder, and the name in it.
func (d *osFS) at(name string) (fd int, base string, err error) {
	dir, base, nested := strings.Cut(name, "/")
	if !nested {
		return d.fd, name, nil
	}
	if strings.Contains(base, "/") {
		return -1, "", unix.EINVAL
	}
	fd, err = d.folder(dir)
	return fd, base, err
}

// folder returns an open folder of this one.
func (d *osFS) folder(dir string) (fd int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fd, ok := d.dirs[dir]; ok {
		return fd, nil
	}
	how := unix.O_RDONLY
	if d.enter {
		how = enterOnly
	}
	if fd, err = openFolder(d.fd, dir, how); err != nil {
		return -1, pathError("open", d.full(dir), err)
	}
	if d.dirs == nil {
		d.dirs = map[string]int{}
	}
	d.dirs[dir] = fd
	return fd, nil
}

// forget has a folder opened again: what was there was removed, and is made anew.
func (d *osFS) forget(dir string) {
	d.mu.Lock()
	if fd, ok := d.dirs[dir]; ok {
		d.gone = append(d.gone, fd)
		delete(d.dirs, dir)
	}
	d.mu.Unlock()
}

// errNoFolder is what is in a folder's place. The system says ENOTDIR of a link, too.
var errNoFolder error = noFolder{}

type noFolder struct{}

func (noFolder) Error() string {
	return "it is not a folder (a link is not followed); move it away"
}
func (noFolder) Unwrap() error { return unix.ENOTDIR }

func openFolder(at int, name string, how int) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(at, name, how|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err = refusedLink(err); err == unix.ENOTDIR || err == unix.ELOOP {
		err = errNoFolder
	}
	return fd, err
}

func (d *osFS) full(name string) string { return filepath.Join(d.path, name) }

func (d *osFS) Open(name string, flags int, perm uint32) (File, error) {
	at, base, err := d.at(name)
	if err != nil {
		return nil, pathError("open", d.full(name), err)
	}
	var fd int
	err = retry(func() (err error) {
		fd, err = unix.Openat(at, base, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, perm)
		return err
	})
	if err != nil {
		return nil, pathError("open", d.full(name), refusedLink(err))
	}
	return &osFile{dir: d, name: name, fd: fd}, nil
}

func (d *osFS) Rename(from, to string) error {
	return d.move(from, to, func(at int, base string, into int, name string) error {
		err := renameNew(at, base, into, name)
		if err == errNoRenameNew {
			err = linkAndUnlink(at, base, into, name)
		}
		return err
	})
}

// linkAndUnlink is a rename that never replaces, where the system or the file system has
// none in one step. A process that dies between the two leaves both names of one file;
// Repair recognizes them by their inode.
func linkAndUnlink(at int, base string, into int, name string) error {
	err := unix.Linkat(at, base, into, name, 0)
	if err == nil {
		err = unix.Unlinkat(at, base, 0)
	}
	return err
}

func (d *osFS) Replace(from, to string) error { return d.move(from, to, unix.Renameat) }

func (d *osFS) move(from, to string, how func(at int, base string, into int, name string) error) error {
	at, base, err := d.at(from)
	if err != nil {
		return pathError("rename", d.full(from), err)
	}
	into, name, err := d.at(to)
	if err == nil {
		err = how(at, base, into, name)
	}
	return pathError("rename", d.full(to), err)
}

func (d *osFS) Unlink(name string) error {
	at, base, err := d.at(name)
	if err == nil {
		err = unix.Unlinkat(at, base, 0)
	}
	return pathError("unlink", d.full(name), err)
}

func (d *osFS) RemoveDir(name string) error {
	return pathError("rmdir", d.full(name), unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

func (d *osFS) Mkdir(name string, perm uint32) error {
	at, base, err := d.at(name)
	if err == nil {
		err = unix.Mkdirat(at, base, perm)
		d.forget(name)
	}
	return pathError("mkdir", d.full(name), err)
}

func (d *osFS) SyncDir(name string) error {
	fd, err := d.fd, error(nil)
	switch {
	case d.enter:
		if fd, err = openFolder(d.fd, name, unix.O_RDONLY); err == nil {
			defer unix.Close(fd)
		}
	case name != ".":
		fd, err = d.folder(name)
	}
	if err != nil {
		return pathError("open", d.full(name), err)
	}
	return pathError("fsync", d.full(name), retry(func() error { return syncDir(fd) }))
}

func (d *osFS) Stat(name string) (Info, error) {
	var st unix.Stat_t
	at, base, err := d.at(name)
	if err == nil {
		err = unix.Fstatat(at, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	return info(&st), pathError("stat", d.full(name), err)
}

func (d *osFS) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, fd := range d.dirs {
		unix.Close(fd)
	}
	for _, fd := range d.gone {
		unix.Close(fd)
	}
	d.dirs, d.gone = nil, nil
	return unix.Close(d.fd)
}

func (d *osFS) List(name string, yield func(name []byte) bool) error {
	fd, err := openFolder(d.fd, name, unix.O_RDONLY)
	if err != nil {
		return pathError("open", d.full(name), err)
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
