package maildir

import (
	"context"
	"maps"
	"slices"

	"notices/spool"
)

// Scan lists cur once. A sidecar is a message; that it has a body shows when it is
// claimed, or by the balance: bodies and sidecars cancel out, and if they do not,
// Repair looks closer.
func (s *Store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	odd, err := s.scan(ctx, curDir, yield)
	s.unbalancedCur.Store(odd)
	return err
}

// ScanFailed lists failed once.
func (s *Store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	odd, err := s.scan(ctx, failedDir, yield)
	s.unbalancedFailed.Store(odd)
	return err
}

// balance is the sum over all bodies less the sum over all sidecars, in parts by id:
// only the names of a part that is not zero need to be kept and compared.
type balance [4096]checksum

func (b *balance) part(id checksum) *checksum { return &b[id%checksum(len(b))] }

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
			id := checksumStart.over(p.id)
			*sum.part(id) += id
		case sidecar:
			id := checksumStart.over(p.id)
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

// Find looks for the sidecars of messages in cur, then in failed.
func (s *Store) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	found := make(map[spool.ID]spool.Entry, len(ids))
	missing := slices.DeleteFunc(slices.Clone(ids), func(id spool.ID) bool { return !id.Valid() })
	for _, dir := range []string{curDir, failedDir} {
		some, err := s.findIn(dir, missing)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, some)
		missing = without(missing, some)
	}
	return found, ctx.Err()
}

// findIn lists a folder for the sidecars of messages. A listing may miss a name that is
// renamed while it runs, so it lists again if a message has its body there and no sidecar.
func (s *Store) findIn(dir string, ids []spool.ID) (map[spool.ID]spool.Entry, error) {
	found, err := s.sidecarsOf(dir, ids)
	missing := slices.DeleteFunc(without(ids, found), func(id spool.ID) bool {
		_, err := s.fs.Stat(bodyPath(dir, id))
		return err != nil
	})
	if err != nil || len(missing) == 0 {
		return found, err
	}
	more, err := s.sidecarsOf(dir, missing)
	maps.Copy(found, more)
	return found, err
}

// without is ids less those that were found.
func without(ids []spool.ID, found map[spool.ID]spool.Entry) []spool.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id spool.ID) bool { _, ok := found[id]; return ok })
}

// sidecarsOf lists a folder once for the sidecars of some messages.
func (s *Store) sidecarsOf(dir string, ids []spool.ID) (map[spool.ID]spool.Entry, error) {
	missing := make(map[spool.ID]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	found := map[spool.ID]spool.Entry{}
	if len(ids) == 0 {
		return found, nil
	}
	err := s.list(dir, func(name []byte) bool {
		if p := parseName(name); p.kind == sidecar && missing[spool.ID(p.id)] {
			e := p.entry()
			found[e.ID] = e
			delete(missing, e.ID)
		}
		return len(missing) > 0
	})
	return found, err
}
