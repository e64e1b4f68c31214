// Package fsys is the only code that knows how a spool on disk is made to
// survive a kill or a power cut: open, write, fsync, rename, lock, and the
// errors of each. Everything goes through FS, so that the crash tests can stop
// at any step, fail it, or replay what a power cut would have left.
//
// Files are bare descriptors, not os.File: an enqueue is a process, and the
// runtime's poller, finalizers and extra system calls are most of what a
// careful small write costs.
package fsys

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// FS is a folder and every step that can be taken in it. Names are relative to
// it, of one part or two, and no symbolic link is followed in either. Errors are *fs.PathError with the system's errno inside.
type FS interface {
	// Open never follows a link in the last part of name, never blocks on a fifo,
	// and closes on exec.
	Open(name string, flags int, perm uint32) (File, error)
	// Rename moves a file, never over another one: then fs.ErrExist.
	Rename(from, to string) error
	// Replace moves a file over whatever is there.
	Replace(from, to string) error
	Unlink(name string) error
	Mkdir(name string, perm uint32) error
	// RemoveDir removes an empty folder.
	RemoveDir(name string) error
	// SyncDir makes the entries of a folder durable.
	SyncDir(name string) error
	// List calls yield with each name in a folder, in no order, but not . and ..
	// The bytes are only valid during the call.
	List(name string, yield func(name []byte) bool) error
	// Stat does not follow a link.
	Stat(name string) (Info, error)
	Close() error
}

// File is an open file. Reads and writes are whole or an error.
type File interface {
	Write(p []byte) (int, error)
	ReadAt(p []byte, off int64) (int, error)
	// ReadOnce is a single pread(2). Fewer octets than asked for mean that a regular file
	// ends there, or that what follows cannot be read: ReadAt would tell.
	ReadOnce(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Chmod(mode uint32) error
	Stat() (Info, error)
	// StartSync begins to write the content out, so that several Syncs wait together.
	StartSync()
	// Sync waits until content and size are on disk.
	Sync() error
	// SyncFS waits until all of the file system that the file is on is on disk, the
	// file's mode and its entry in a folder included that the caller may not open.
	SyncFS() error
	// Lock takes the exclusive flock(2) of the file, which ends with Close or with the
	// process, whatever ends it. Without wait: ErrLocked if it is taken.
	Lock(wait bool) error
	// Allocate makes sure that the file can grow to size without ENOSPC. What it adds
	// reads as NUL octets.
	Allocate(size int64) error
	Close() error
}

// Info is what is asked of a file.
type Info struct {
	Size    int64
	Links   uint64
	Mode    uint32 // permission bits
	Regular bool
	Dir     bool
	Inode   uint64
	ModTime int64 // unix seconds
	UID     uint32
	GID     uint32
}

// ErrLocked is Lock's answer when another open file has the lock.
var ErrLocked = errors.New("locked")

func pathError(op, name string, err error) error {
	if err == nil || errors.As(err, new(*fs.PathError)) { // of the folder that it is in
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
