package simfs

import (
	"errors"
	"io"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"notices/spool/internal/fsys"
)

// ErrDead is what every step of a killed process returns. A real one would not
// even see that.
var ErrDead = errors.New("killed")

// Process is a view of a Disk with locks of its own. It implements fsys.FS.
type Process struct {
	disk   *Disk
	before func(Step) error
	dead   bool
}

// step locks the disk and asks whether the step may happen. On a nil error the
// caller unlocks.
func (p *Process) step(op, name string) error {
	p.disk.mu.Lock()
	err := p.may(op, name)
	if err != nil {
		p.disk.mu.Unlock()
		return fail(op, name, err)
	}
	return nil
}

func (p *Process) may(op, name string) error {
	if p.dead {
		return ErrDead
	}
	if p.before == nil || op == "read" {
		return nil
	}
	err := p.before(Step{op, name})
	if errors.Is(err, ErrDead) {
		p.dead = true
	}
	return err
}

// do makes one step on the locked disk. Its error is that of a system call.
func (p *Process) do(op, name string, act func(d *Disk) error) error {
	if err := p.step(op, name); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	if err := act(p.disk); err != nil {
		return fail(op, name, err)
	}
	return nil
}

// Open opens or creates a file.
func (p *Process) Open(name string, flags int, perm uint32) (fsys.File, error) {
	op := "read"
	if flags&unix.O_CREAT != 0 {
		op = "create"
	}
	if err := p.step(op, name); err != nil {
		return nil, err
	}
	defer p.disk.mu.Unlock()
	if f := p.disk.now[name]; f != nil && op == "read" {
		return &file{process: p, name: name, node: &f.inode}, nil // to lock it
	}
	n := p.disk.file(name)
	switch {
	case p.disk.now[path.Dir(name)] == nil:
		return nil, fail("open", name, unix.ENOENT)
	case n != nil && flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return nil, fail("open", name, unix.EEXIST)
	case n == nil && flags&unix.O_CREAT == 0:
		return nil, fail("open", name, unix.ENOENT)
	case n == nil:
		p.disk.inos++
		n = &inode{number: p.disk.inos, mode: perm, born: perm}
		p.disk.touch(n)
		p.disk.change("", name, n)
	case flags&unix.O_TRUNC != 0:
		n.data = nil
	}
	return &file{process: p, name: name, node: n, appends: flags&unix.O_APPEND != 0}, nil
}

// Rename moves a name, never over another.
func (p *Process) Rename(from, to string) error { return p.rename("rename", from, to, false) }

// Replace moves a name over another.
func (p *Process) Replace(from, to string) error { return p.rename("replace", from, to, true) }

func (p *Process) rename(op, from, to string, over bool) error {
	return p.do(op, to, func(d *Disk) error {
		n := d.file(from)
		switch {
		case n == nil || d.now[path.Dir(to)] == nil:
			return unix.ENOENT
		case !over && d.file(to) != nil:
			return unix.EEXIST
		}
		d.change(from, to, n)
		return nil
	})
}

// Unlink removes a name.
func (p *Process) Unlink(name string) error {
	return p.do("unlink", name, func(d *Disk) error {
		n := d.file(name)
		if n == nil {
			return unix.ENOENT
		}
		d.change(name, "", n)
		return nil
	})
}

// RemoveDir removes an empty folder, durably at once.
func (p *Process) RemoveDir(name string) error {
	return p.do("rmdir", name, func(d *Disk) error {
		switch f := d.now[name]; {
		case f == nil:
			return unix.ENOTDIR
		case len(f.files) > 0:
			return unix.ENOTEMPTY
		}
		delete(d.now, name)
		return nil
	})
}

// Mkdir makes a folder; folders are durable at once.
func (p *Process) Mkdir(name string, perm uint32) error {
	return p.do("mkdir", name, func(d *Disk) error {
		if d.now[name] != nil {
			return unix.EEXIST
		}
		d.inos++
		d.mkdir(name, d.inos, perm)
		return nil
	})
}

// SyncDir makes the changes of a folder durable.
func (p *Process) SyncDir(name string) error {
	return p.do("syncdir", name, func(d *Disk) error {
		dir := d.now[name]
		if dir == nil {
			return unix.ENOENT
		}
		d.syncDir(dir)
		return nil
	})
}

// List yields the names of a folder.
func (p *Process) List(name string, yield func([]byte) bool) error {
	var names []string
	err := p.do("read", name, func(d *Disk) error {
		f := d.now[name]
		if f == nil {
			return unix.ENOENT
		}
		names = slices.Clone(f.names)
		return nil
	})
	var base []byte
	for _, full := range names {
		base = append(base[:0], path.Base(full)...)
		if !yield(base) {
			break
		}
	}
	return err
}

// Stat describes a file or folder.
func (p *Process) Stat(name string) (info fsys.Info, err error) {
	err = p.do("read", name, func(d *Disk) error {
		f, n := d.now[name], d.file(name)
		switch {
		case f != nil:
			info = fsys.Info{Links: 2, Mode: f.mode, Dir: true, Inode: f.number}
		case n != nil:
			info = n.info()
		default:
			return unix.ENOENT
		}
		return nil
	})
	return info, err
}

func (n *inode) info() fsys.Info {
	return fsys.Info{Size: int64(len(n.data)), Links: n.links, Mode: n.mode, Regular: true, Inode: n.number, ModTime: n.mtime}
}

// Close ends the view like a clean exit: locks go.
func (p *Process) Close() error {
	p.disk.Kill(p)
	return nil
}

type file struct {
	process *Process
	name    string
	node    *inode
	at      int64
	appends bool // at the end, wherever that is by then
	closed  bool
}

func (f *file) step(op string) error {
	if f.closed {
		return fail(op, f.name, unix.EBADF)
	}
	return f.process.step(op, f.name)
}

// do makes one step on the file with the disk locked.
func (f *file) do(op string, act func()) error {
	if err := f.step(op); err != nil {
		return err
	}
	defer f.process.disk.mu.Unlock()
	act()
	return nil
}

// ErrShort makes a write stop in the middle.
var ErrShort = errors.New("short write")

func (f *file) Write(p []byte) (int, error) {
	off := f.at
	if f.appends {
		off = -1
	}
	n, err := f.WriteAt(p, off)
	f.at += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	err := f.step("write")
	if errors.Is(err, ErrShort) {
		f.process.disk.mu.Lock()
		defer f.process.disk.mu.Unlock()
		return f.put(p[:len(p)/2], off), fail("write", f.name, unix.ENOSPC)
	}
	if err != nil {
		return 0, err
	}
	defer f.process.disk.mu.Unlock()
	return f.put(p, off), nil
}

// put writes at off; -1: at the end.
func (f *file) put(p []byte, off int64) int {
	if off < 0 {
		off = int64(len(f.node.data))
	}
	f.process.disk.touch(f.node)
	if grow := off + int64(len(p)) - int64(len(f.node.data)); grow > 0 {
		f.node.data = append(f.node.data, make([]byte, grow)...)
	}
	return copy(f.node.data[off:], p)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReadOnce(p, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) ReadOnce(p []byte, off int64) (n int, err error) {
	err = f.do("read", func() { n = copy(p, f.node.data[min(off, int64(len(f.node.data))):]) })
	return n, err
}

func (f *file) Truncate(size int64) error {
	return f.do("truncate", func() {
		f.resize(size)
		f.at = size
	})
}

func (f *file) Allocate(size int64) error {
	return f.do("allocate", func() {
		if size > int64(len(f.node.data)) {
			f.resize(size)
		}
	})
}

func (f *file) resize(size int64) {
	f.process.disk.touch(f.node)
	data := make([]byte, size)
	copy(data, f.node.data)
	f.node.data = data
}

func (f *file) Chmod(mode uint32) error {
	return f.do("chmod", func() { f.node.mode = mode })
}

func (f *file) Stat() (info fsys.Info, err error) {
	err = f.do("read", func() { info = f.node.info() })
	return info, err
}

func (f *file) StartSync() {}

func (f *file) Sync() error { return f.do("sync", f.node.sync) }

func (f *file) SyncFS() error { return f.do("syncfs", f.process.disk.syncAll) }

// Lock waits, if it is to, until the owner closes the file or its process ends.
func (f *file) Lock(wait bool) error {
	if err := f.step("read"); err != nil {
		return err
	}
	d := f.process.disk
	defer d.mu.Unlock()
	for f.node.owner != nil && f.node.owner != f {
		if !wait {
			return fsys.ErrLocked
		}
		d.unlocked.Wait()
	}
	f.node.owner = f
	return nil
}

func (f *file) Close() error {
	f.process.disk.mu.Lock()
	defer f.process.disk.mu.Unlock()
	f.closed = true
	if f.node.owner == f {
		f.node.owner = nil
		f.process.disk.unlocked.Broadcast()
	}
	return nil
}
