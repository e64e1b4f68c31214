package historyfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// Dir is the folder of the history within the spool.
const Dir = "history"

// Log writes, forgets and searches the history. It may be used by several goroutines, and
// several processes may have one on the same folder.
type Log struct {
	FS  fsys.FS
	Now func() time.Time
	Off bool   // no entry is written
	Dir string // where the spool is, for messages
	// Repair adds to an error what repairs it; the names may be its cause. nil: nothing is known.
	Repair func(err error, names ...string) error

	syncing sync.Mutex // one Sync at a time
	mu      sync.Mutex
	current *dayFile   // that is written now; nil: none is open
	done    []*dayFile // no longer written, to sync and close
	buf     []byte
	failure error // of writing, for Err
}

// dayFile is an open file.
type dayFile struct {
	fsys.File
	day   string
	dirty bool // it was written to since the last Sync
}

// keepBuf is the size up to which the buffer is kept for the next message, in octets.
const keepBuf = 64 << 10

// Add writes the entries of a message, all or none of them unless the disk is full. They are
// durable after Sync. An error is kept for Err as well. Without entries it writes an empty line,
// which shows whether an entry could be written.
func (l *Log) Add(entries []spool.HistoryEntry) error {
	if l.Off {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	day := l.Now().UTC().Format(time.DateOnly)
	err := l.open(day)
	if err == nil {
		l.buf = l.buf[:0]
		for i := range entries {
			l.buf = appendLine(l.buf, &entries[i])
		}
		if len(entries) == 0 {
			l.buf = append(l.buf, '\n')
		}
		l.current.dirty = true
		_, err = l.current.Write(l.buf)
	}
	if cap(l.buf) > keepBuf {
		l.buf = nil
	}
	if err != nil {
		err = fmt.Errorf("%s/%s: %w", Dir, day, l.explain(err, Dir+"/"+day))
	}
	l.fail(err)
	return err
}

// fail keeps the first error. The caller has the lock.
func (l *Log) fail(err error) {
	if l.failure == nil {
		l.failure = err
	}
}

// Err is the first error of writing since the last call.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.failure
	l.failure = nil
	return err
}

// open opens the file of a day, unless it is open.
func (l *Log) open(day string) error {
	if l.current != nil && l.current.day == day {
		return nil
	}
	l.retire()
	f, err := l.create(day)
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.FS.Mkdir(Dir, 0o700); err == nil {
			err = l.FS.SyncDir(".")
		}
		if err == nil || errors.Is(err, fs.ErrExist) {
			f, err = l.create(day)
		}
	}
	if err == nil {
		l.current = &dayFile{File: f, day: day}
	}
	return err
}

// create opens the file of a day. A new one is made durable in its folder before anything is
// written to it, so that whoever finds it with content need not: one sync a day.
func (l *Log) create(day string) (fsys.File, error) {
	f, err := l.FS.Open(Dir+"/"+day, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case !st.Regular:
		err = errNotAFile
	case st.Size == 0:
		err = l.FS.SyncDir(Dir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// retire leaves the open file to the next Sync.
func (l *Log) retire() {
	if l.current != nil {
		l.done = append(l.done, l.current)
		l.current = nil
	}
}

// Sync makes durable what was added. An error is kept for Err as well.
func (l *Log) Sync() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	files, done := l.unsynced()
	var err error
	for _, f := range files {
		err = errors.Join(err, f.Sync())
	}
	for _, f := range done {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		err = l.explain(err, Dir)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(err)
	if len(files) > 0 && l.current != nil && isRemoved(l.current) {
		l.retire() // by a person: what comes goes into a new file
	}
	return err
}

// unsynced takes what is to be synced, and what is to be closed after that.
func (l *Log) unsynced() (files []fsys.File, done []*dayFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	done, l.done = l.done, nil
	open := done
	if l.current != nil {
		open = append(slices.Clip(done), l.current)
	}
	for _, f := range open {
		if f.dirty {
			files = append(files, f.File)
			f.dirty = false
		}
	}
	return files, done
}

func isRemoved(f fsys.File) bool {
	st, err := f.Stat()
	return err == nil && st.Links == 0
}

// Close syncs and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	l.retire()
	l.mu.Unlock()
	return l.Sync()
}

// Forget removes the files of days that had ended by then. One that cannot be removed does not
// keep the others. The error is the first.
func (l *Log) Forget(ctx context.Context, before time.Time) error {
	days, err := l.days()
	if err != nil {
		return fmt.Errorf("%s: %w", Dir, l.explain(err, Dir))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, day := range days {
		if ctx.Err() != nil || dayEnd(day).After(before) {
			break
		}
		if l.current != nil && day == l.current.day {
			l.retire()
		}
		name := Dir + "/" + day
		if e := ignoreMissing(l.FS.Unlink(name)); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", name, l.explain(e, name))
		}
	}
	return cmp.Or(err, ctx.Err())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
