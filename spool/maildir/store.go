package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
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

// Options are for tests; the zero value is right.
type Options struct {
	FS  fsys.FS          // nil: the folder itself
	Now func() time.Time // nil: the system's clock
}

// Store is a spool folder. It implements spool.Store.
type Store struct {
	fs     fsys.FS
	dir    string
	state  values.Values
	soon   syncer
	claims sync.Map // of *claim: those under way
	closed atomic.Bool
	// What the last listing of cur or failed showed beside pairs; nil: nothing.
	unbalancedCur, unbalancedFailed atomic.Pointer[balance]
}

// Open opens the spool in dir and makes what is missing, with mode 0700.
// spool.ErrNoSpool: dir is no folder, or on a file system without shared locks.
// fs.ErrPermission: not ours to write, or others may write to it.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{fs: o.FS, dir: dir}
	if s.fs == nil {
		opened, err := openDir(dir)
		if err != nil {
			return nil, err
		}
		s.fs = opened
	}
	if err := s.checkMode(); err != nil {
		s.fs.Close()
		return nil, err
	}
	s.state = values.Values{FS: s.fs}
	s.soon.fs, s.soon.journal = s.fs, journal{s.fs, o.Now}
	if o.Now == nil {
		s.soon.journal.now = time.Now
	}
	return s, nil
}

func openDir(dir string) (fsys.FS, error) {
	d, err := fsys.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = fsys.MakeDir(dir); err == nil {
			d, err = fsys.Open(dir)
		}
	}
	if errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%w: %s is not a folder; move away what is there", spool.ErrNoSpool, dir)
	}
	if err != nil {
		return nil, err
	}
	if kind, err := fsys.Shared(dir); kind != "" || err != nil {
		d.Close()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s is on %s, whose locks do not reach other machines; keep it on a local disk (many machines that share one spool need a database)", spool.ErrNoSpool, dir, kind)
	}
	return d, nil
}

func (s *Store) checkMode() error {
	st, err := s.fs.Stat(".")
	if err != nil {
		return err
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("%w: others may write to the spool %s; run: chmod go-w %s", fs.ErrPermission, s.dir, s.dir)
	}
	return nil
}

// layout makes the folders of the spool. It is called when one turned out to be missing, so
// that an enqueue need not check for them. tmp is made last: if it exists, the others do.
func (s *Store) layout() error {
	for _, dirs := range [][]string{{curDir, failedDir, asideDir, stateDir, importDir}, {tmpDir}} {
		for _, dir := range dirs {
			err := s.fs.Mkdir(dir, 0o700)
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return s.hint(err)
			}
		}
		if err := s.fs.SyncDir("."); err != nil {
			return err
		}
	}
	return nil
}

// hint says more about an error where a person can mend it.
func (s *Store) hint(err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", spool.ErrNoSpool, err)
	}
	return err
}

// withLayout runs a step again after making the folders, if one was missing.
func (s *Store) withLayout(step func() error) error {
	err := step()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.layout(); err != nil {
		return err
	}
	return step()
}

// State gives the small values kept in state/.
func (s *Store) State() spool.State { return s.state }

// Sync makes durable now what was to be durable soon.
func (s *Store) Sync(context.Context) error { return s.soon.flush() }

// Usage adds up the sizes of all files of messages.
func (s *Store) Usage(ctx context.Context) (int64, error) { return s.usage(ctx, curDir, failedDir) }

// UsageFailed is that for failed.
func (s *Store) UsageFailed(ctx context.Context) (int64, error) { return s.usage(ctx, failedDir) }

func (s *Store) usage(ctx context.Context, dirs ...string) (total int64, err error) {
	for _, dir := range dirs {
		err := s.list(dir, func(name []byte) bool {
			if st, err := s.fs.Stat(filepath.Join(dir, string(name))); err == nil {
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

// list is a listing that takes a folder not yet made for an empty one.
func (s *Store) list(dir string, yield func(name []byte) bool) error {
	err := s.fs.List(dir, yield)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.hint(err)
}

// Close ends the claims, syncs what is pending and closes the folder.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.claims.Range(func(c, _ any) bool {
		_ = c.(*claim).close() // a claim that ends with its process
		return true
	})
	err := s.soon.flush()
	if e := s.fs.Close(); err == nil {
		err = e
	}
	return err
}

// folderOf is the folder of messages in that state.
func folderOf(s spool.MessageState) string {
	if s == spool.StateFailed {
		return failedDir
	}
	return curDir
}
