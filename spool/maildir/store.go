package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/historyfile"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/reuse"
	"notices/spool/maildir/values"
)

// Options say how a spool is used. FS and Now are for tests.
type Options struct {
	FS        fsys.FS          // nil: the folder itself
	Now       func() time.Time // nil: the system's clock
	NoHistory bool             // what becomes of messages is not written down
	// Reuse is for a process that sends what it takes in. The files of so many messages that were
	// sent are kept for the next ones, and as many that were queued just now are claimed without
	// opening them again. 0: none.
	Reuse int
}

// Store is a spool folder. It implements spool.Store. What a call keeps while it runs is a
// type of its own: draft, claim, repair, keyReader, probe.
type Store struct {
	folders folders
	soon    syncer
	recent  reuse.Recent[*draft]
	past
	claims sync.Map // of *claim: those under way
	closed atomic.Bool
	// What the last listing of cur or failed showed beside pairs; nil: nothing.
	unbalancedCur, unbalancedFailed atomic.Pointer[balance]
}

// Open opens the spool in dir and makes what is missing, with mode 0700.
// spool.ErrNoSpool: dir is no folder, or on a file system without shared locks.
// fs.ErrPermission: not ours to write, or others may write to it.
func Open(dir string, o Options) (*Store, error) {
	if o.FS == nil {
		opened, err := openDir(dir)
		if err != nil {
			return nil, err
		}
		o.FS = opened
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	st, err := o.FS.Stat(".")
	if err == nil && st.Mode&0o022 != 0 {
		err = fmt.Errorf("%w: others may write to the spool %s; run: chmod go-w %s", fs.ErrPermission, dir, dir)
	}
	if err != nil {
		o.FS.Close()
		return nil, err
	}
	at := folders{o.FS, dir}
	history := &historyfile.Log{FS: o.FS, Now: o.Now, Off: o.NoHistory, Dir: dir, Repair: at.withRepair}
	return &Store{
		folders: at,
		recent:  reuse.Recent[*draft]{Max: o.Reuse},
		soon:    syncer{fs: o.FS, journal: imports.Journal{FS: o.FS, Now: o.Now}, history: history, pool: reuse.Pool{FS: o.FS, Max: o.Reuse}},
		past:    past{at, history},
	}, nil
}

func openDir(dir string) (fsys.FS, error) {
	d, err := fsys.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = fsys.MakeDir(dir); err == nil {
			d, err = fsys.Open(dir)
		}
	}
	if errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%w: %s is not a folder: %w", spool.ErrNoSpool, dir, err)
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

// State gives the small values kept in state/.
func (s *Store) State() spool.State { return values.Values{FS: s.folders.FS} }

// Sync makes durable now what was to be durable soon.
func (s *Store) Sync(context.Context) error { return s.soon.flush() }

// Usage adds up the sizes of all files of messages.
func (s *Store) Usage(ctx context.Context) (int64, error) {
	return s.folders.usage(ctx, curDir, failedDir)
}

// UsageFailed is that for failed.
func (s *Store) UsageFailed(ctx context.Context) (int64, error) {
	return s.folders.usage(ctx, failedDir)
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
	s.recent.Close()
	err := s.soon.flush()
	s.soon.pool.Close()
	_ = s.history.Close() // mail does not wait for it
	if e := s.folders.Close(); err == nil {
		err = e
	}
	return err
}
