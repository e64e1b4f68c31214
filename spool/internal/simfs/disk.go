// Package simfs is a disk in memory that can die: an fsys.FS whose every step
// can be counted, failed, or be the last one, and which knows what a kill and
// what a power cut leave of it.
//
// The rules of a power cut are those that the spool relies on, and no kinder:
//
//   - a rename is atomic, even from folder to folder;
//   - of the changes to folders since their last sync, any may be lost and any may
//     have happened, in whatever order;
//   - of the content written to a file since its last sync, any 512 octets may be
//     there and any not; its size may be the old one, the new one, or between.
//
// A kill loses nothing but locks and open files.
package simfs

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"

	"notices/spool/internal/fsys"
)

// Step is one system call that changes the disk or promises something about it.
type Step struct {
	Op   string // "create", "write", "sync", "syncdir", "rename", "replace", "unlink", "mkdir", "truncate", "allocate", "syncfs"
	Name string
}

// Disk is the disk. Open gives a process's view of it.
type Disk struct {
	// Clock is when files are changed, in unix seconds; nil: 1970.
	Clock func() int64

	mu    sync.Mutex
	now   map[string]*folder // as processes see it
	disk  map[string]*inode  // as a power cut leaves it at least, by full name
	since map[string]int     // number of the last change of a name that is on disk
	queue []change           // not yet on disk
	count int
	inos  uint64

	unlocked sync.Cond
}

type folder struct {
	inode                   // for its lock and mode
	files map[string]*inode // by full name
	names []string          // of files, sorted
}

type inode struct {
	number uint64
	links  uint64
	mode   uint32 // a power cut may take back a change of it
	born   uint32
	mtime  int64 // a power cut leaves it alone, since nothing relies on it
	data   []byte
	synced []byte
	owner  *file // who has the lock
}

// change is one atomic change of names: from goes (if any), to comes (if any).
type change struct {
	number       int
	from, to     string
	fromIn, toIn *folder // nil: no such name
	node         *inode
}

// New returns an empty disk.
func New() *Disk {
	d := &Disk{now: map[string]*folder{}, disk: map[string]*inode{}, since: map[string]int{}}
	d.unlocked.L = &d.mu
	d.mkdir(".", 0, 0o700)
	return d
}

func (d *Disk) mkdir(name string, number uint64, mode uint32) {
	d.now[name] = &folder{inode{number: number, mode: mode, born: mode}, map[string]*inode{}, nil}
}

// file is the file of that name; nil: it does not exist.
func (d *Disk) file(name string) *inode {
	if f := d.now[path.Dir(name)]; f != nil {
		return f.files[name]
	}
	return nil
}

// Open is a process's view. before is asked ahead of each step, if not nil: an
// error is what the step returns instead of happening. After ErrDead every later
// step of this view dies, too, and nothing is written: the process is gone.
func (d *Disk) Open(before func(Step) error) *Process {
	return &Process{disk: d, before: before}
}

// Kill ends a process: its locks are free, its open files closed.
func (d *Disk) Kill(p *Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.dead = true
	for _, f := range d.now {
		d.unlock(&f.inode, p)
		for _, n := range f.files {
			d.unlock(n, p)
		}
	}
	for _, c := range d.queue {
		d.unlock(c.node, p)
	}
}

func (d *Disk) unlock(n *inode, p *Process) {
	if n.owner != nil && n.owner.process == p {
		n.owner = nil
		d.unlocked.Broadcast()
	}
}

// PowerCut returns the disk as it is found after the power came back: what was
// durable, and of the rest what the dice say. All processes are gone.
func (d *Disk) PowerCut(dice *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names, since := maps.Clone(d.disk), maps.Clone(d.since)
	for _, c := range d.queue {
		if dice.IntN(2) == 0 {
			apply(names, since, c)
		}
	}
	after := New()
	after.inos, after.Clock = d.inos, d.Clock
	for dir, f := range d.now {
		after.mkdir(dir, f.number, f.mode) // made once, long before
	}
	copies := map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(names)) { // the same dice, the same disk
		n := names[name]
		if copies[n] == nil {
			content, mode := n.survivor(dice), n.mode
			if n.mode != n.born && dice.IntN(2) == 0 {
				mode = n.born
			}
			copies[n] = &inode{number: n.number, mode: mode, born: mode, mtime: n.mtime, data: content, synced: slices.Clone(content)}
		}
		after.now[path.Dir(name)].link(name, copies[n])
		after.disk[name] = copies[n]
	}
	return after
}

// apply performs a change on names, unless a later change of the same name is
// there already.
func apply(names map[string]*inode, since map[string]int, c change) {
	if c.from != "" && since[c.from] < c.number {
		if names[c.from] == c.node {
			delete(names, c.from)
		}
		since[c.from] = c.number
	}
	if c.to != "" && since[c.to] < c.number {
		names[c.to] = c.node
		since[c.to] = c.number
	}
}

const sector = 512

// survivor is the content after a power cut.
func (n *inode) survivor(dice *rand.Rand) []byte {
	size := len(n.data)
	if len(n.synced) != len(n.data) {
		low, high := min(len(n.synced), len(n.data)), max(len(n.synced), len(n.data))
		size = low + dice.IntN(high-low+1)
	}
	content := make([]byte, size)
	copy(content, n.synced)
	for at := 0; at < size; at += sector {
		end := min(at+sector, size)
		if dice.IntN(2) == 0 && at < len(n.data) {
			copy(content[at:end], n.data[at:min(end, len(n.data))])
		}
	}
	return content
}

// change performs a change of names and queues it for the disk.
func (d *Disk) change(from, to string, n *inode) {
	d.count++
	c := change{number: d.count, from: from, to: to, node: n}
	if from != "" {
		c.fromIn = d.now[path.Dir(from)]
		c.fromIn.unlink(from)
	}
	if to != "" {
		c.toIn = d.now[path.Dir(to)]
		c.toIn.link(to, n)
	}
	d.queue = append(d.queue, c)
}

func (f *folder) unlink(name string) {
	f.files[name].links--
	delete(f.files, name)
	at, _ := slices.BinarySearch(f.names, name)
	f.names = slices.Delete(f.names, at, at+1)
}

// link gives a file a name, which another one may lose.
func (f *folder) link(name string, n *inode) {
	if f.files[name] != nil {
		f.unlink(name)
	}
	f.files[name] = n
	n.links++
	at, _ := slices.BinarySearch(f.names, name)
	f.names = slices.Insert(f.names, at, name)
}

// touch says that a file's content was changed now.
func (d *Disk) touch(n *inode) {
	if d.Clock != nil {
		n.mtime = d.Clock()
	}
}

// syncDir puts on disk what touches a folder.
func (d *Disk) syncDir(dir *folder) {
	rest := d.queue[:0]
	for _, c := range d.queue {
		if c.fromIn == dir || c.toIn == dir {
			apply(d.disk, d.since, c)
		} else {
			rest = append(rest, c)
		}
	}
	d.queue = rest
}

// syncAll puts everything on disk: syncfs(2).
func (d *Disk) syncAll() {
	for _, c := range d.queue {
		apply(d.disk, d.since, c)
	}
	d.queue = d.queue[:0]
	for _, f := range d.now {
		for _, n := range f.files {
			n.sync()
			n.born = n.mode
		}
	}
}

// sync puts a file's content on disk.
func (n *inode) sync() { n.synced = append(n.synced[:0], n.data...) }

// Names lists the full names of the files in a folder, for checks.
func (d *Disk) Names(dir string) (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.now[dir]; f != nil {
		names = slices.Clone(f.names)
	}
	return names
}

// Read returns a file's content, for checks; nil if it does not exist.
func (d *Disk) Read(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.file(name); n != nil {
		return append([]byte{}, n.data...)
	}
	return nil
}

// Write puts a file on the disk, durably, as some other program might.
func (d *Disk) Write(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inos++
	n := &inode{number: d.inos, mode: 0o600, born: 0o600, data: content, synced: slices.Clone(content)}
	d.touch(n)
	d.change("", name, n)
	d.syncDir(d.now[path.Dir(name)])
}

func fail(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

var _ fsys.FS = (*Process)(nil)
