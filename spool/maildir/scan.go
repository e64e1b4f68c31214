package maildir

import (
	"context"
	"fmt"

	"notices/spool"
)

// Scan lists cur once. A sidecar is a message; that it has a body shows when it is
// claimed, or by the balance: bodies and sidecars cancel out, and if they do not,
// Repair looks closer.
func (s *Store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	odd, err := s.scan(ctx, curDir, yield)
	s.oddCur.Store(odd)
	return err
}

// ScanFailed lists failed once.
func (s *Store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	odd, err := s.scan(ctx, failedDir, yield)
	s.oddFailed.Store(odd)
	return err
}

func (s *Store) scan(ctx context.Context, dir string, yield func(spool.Entry) bool) (odd bool, err error) {
	var balance chain
	names, whole := 0, true
	err = s.list(dir, func(name []byte) bool {
		if names++; names%4096 == 0 && ctx.Err() != nil {
			whole = false
			return false
		}
		p := parseName(name)
		switch p.kind {
		case foreign:
			odd = true
		case body:
			balance += chainStart.over(p.id)
		case sidecar:
			balance -= chainStart.over(p.id)
			if (p.state == letterFailed) != (dir == failedDir) {
				odd = true
			} else {
				whole = yield(p.entry())
			}
		}
		return whole
	})
	if err == nil {
		err = ctx.Err()
	}
	return odd || whole && balance != 0, err
}

// Find looks for the sidecar of one message in cur, then in failed.
func (s *Store) Find(ctx context.Context, id spool.ID) (spool.Entry, error) {
	if !id.Valid() {
		return spool.Entry{}, fmt.Errorf("%q: %w", id, spool.ErrGone)
	}
	for _, dir := range []string{curDir, failedDir} {
		e, found, err := s.findIn(dir, id)
		if found || err != nil {
			return e, err
		}
	}
	return spool.Entry{}, fmt.Errorf("%s: %w", id, spool.ErrGone)
}

// findIn lists until it meets the sidecar of id. A listing may miss a name that is
// renamed while it runs, so a body without one is looked for once more.
func (s *Store) findIn(dir string, id spool.ID) (e spool.Entry, found bool, err error) {
	for range 2 {
		err = s.list(dir, func(name []byte) bool {
			p := parseName(name)
			if p.kind == sidecar && string(p.id) == string(id) {
				e, found = p.entry(), true
			}
			return !found
		})
		if found || err != nil {
			return e, found, err
		}
		if _, err := s.fs.Stat(dir + "/" + string(id)); err != nil {
			return e, false, nil
		}
	}
	return e, false, nil
}
