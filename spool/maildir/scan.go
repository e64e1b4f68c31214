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

// balance is the sum over all bodies less the sum over all sidecars, in parts by id:
// only the names of a part that is not zero need to be kept and compared.
type balance [4096]chain

func (b *balance) part(id chain) *chain { return &b[id%chain(len(b))] }

// all makes every part one to look at.
func (b *balance) all() {
	for i := range b {
		b[i] = 1
	}
}

// scan returns what does not add up; nil: all is in order.
func (s *Store) scan(ctx context.Context, dir string, yield func(spool.Entry) bool) (*balance, error) {
	sum := new(balance)
	names, whole, odd := 0, true, false
	err := s.list(dir, func(name []byte) bool {
		if names++; names%4096 == 0 && ctx.Err() != nil {
			whole = false
			return false
		}
		p := parseName(name)
		switch p.kind {
		case foreign:
			odd = true
		case body:
			id := chainStart.over(p.id)
			*sum.part(id) += id
		case sidecar:
			id := chainStart.over(p.id)
			*sum.part(id) -= id
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
	switch {
	case !whole && odd:
		sum.all()
	case !odd && (!whole || *sum == balance{}):
		sum = nil
	}
	return sum, err
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
