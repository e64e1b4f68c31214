package fsys

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// SharedFile is a file with several users: the last one to close it does. It has no lock that anybody
// could wait for.
type SharedFile struct {
	File
	users atomic.Int32
}

// Share is a file with one user.
func Share(f File) *SharedFile {
	l := &SharedFile{File: f}
	l.users.Store(1)
	return l
}

// AddUser is the file for one more user.
func (f *SharedFile) AddUser() *SharedFile {
	f.users.Add(1)
	return f
}

// Shared reports whether it has more than one user.
func (f *SharedFile) Shared() bool { return f.users.Load() > 1 }

// Close closes the file for one user.
func (f *SharedFile) Close() error {
	if f.users.Add(-1) > 0 {
		return nil
	}
	return f.File.Close()
}

// parallelSteps is how many files of a batch are worked on at a time: enough that a
// journalling file system puts their commits together.
const parallelSteps = 16

// SyncAll syncs all files. Their writing begins at once, so that a message costs
// about one wait, not two. The two files of one message are synced without another
// thread: to start one costs an enqueue more than it saves.
func SyncAll(files []File) error {
	for _, f := range files {
		f.StartSync()
	}
	return Parallel(len(files), func(i int) error { return files[i].Sync() })
}

// Parallel does n things, sixteen at a time if there are more than two. All are done; the
// error of one is returned.
func Parallel(n int, do func(i int) error) error {
	if n <= 2 {
		var errs [2]error
		for i := range n {
			errs[i] = do(i)
		}
		return errors.Join(errs[:]...)
	}
	var g errgroup.Group
	g.SetLimit(parallelSteps)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}
