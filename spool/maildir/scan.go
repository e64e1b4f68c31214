package maildir

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
)

// Scan lists cur once. A sidecar is a message; that it has a body shows when it is
// claimed, or by the balance: bodies and sidecars cancel out, and if they do not,
// Repair looks closer.
func (s *Store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	unbalanced, err := s.folders.scan(ctx, curDir, yield)
	s.unbalancedCur.Store(unbalanced)
	return err
}

// ScanFailed lists failed once.
func (s *Store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	unbalanced, err := s.folders.scan(ctx, failedDir, yield)
	s.unbalancedFailed.Store(unbalanced)
	return err
}

// balance is the sum over all bodies less the sum over all sidecars, in parts by id:
// only the names of a part that is not zero need to be kept and compared.
type balance [4096]lines.Checksum

func (b *balance) part(id lines.Checksum) *lines.Checksum { return &b[id%lines.Checksum(len(b))] }

// scan returns what does not add up; nil: all is in order.
func (f folders) scan(ctx context.Context, dir string, yield func(spool.Entry) bool) (*balance, error) {
	sum := new(balance)
	names, whole, strange := 0, true, false
	err := f.list(dir, func(name []byte) bool {
		if names++; names%4096 == 0 && ctx.Err() != nil {
			whole = false
			return false
		}
		p := sidecar.ParseName(name)
		switch p.Kind {
		case sidecar.Foreign:
			strange = true
		case sidecar.Body:
			id := lines.Start.Over(p.ID)
			*sum.part(id) += id
		case sidecar.Sidecar:
			id := lines.Start.Over(p.ID)
			*sum.part(id) -= id
			if (p.Failed()) != (dir == failedDir) {
				strange = true
			} else {
				whole = yield(p.Entry())
			}
		}
		return whole
	})
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case !whole && strange:
		for i := range sum { // every part is one to look at
			sum[i] = 1
		}
	case !strange && (!whole || *sum == balance{}):
		sum = nil
	}
	return sum, err
}

// Find looks for the sidecars of messages in cur, then in failed.
func (s *Store) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	found := make(map[spool.ID]spool.Entry, len(ids))
	missing := slices.DeleteFunc(slices.Clone(ids), func(id spool.ID) bool { return !id.Valid() })
	for _, dir := range []string{curDir, failedDir} {
		some, err := s.folders.find(dir, missing)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, some)
		missing = without(missing, some)
	}
	return found, ctx.Err()
}

// find lists a folder for the sidecars of messages. A listing may miss a name that is
// renamed while it runs, so it lists again if a message has its body there and no sidecar.
func (f folders) find(dir string, ids []spool.ID) (map[spool.ID]spool.Entry, error) {
	found, err := f.sidecarsOf(dir, ids)
	missing := slices.DeleteFunc(without(ids, found), func(id spool.ID) bool {
		_, err := f.Stat(bodyPath(dir, id))
		return err != nil
	})
	if err != nil || len(missing) == 0 {
		return found, err
	}
	more, err := f.sidecarsOf(dir, missing)
	maps.Copy(found, more)
	return found, err
}

// without is ids less those that were found.
func without(ids []spool.ID, found map[spool.ID]spool.Entry) []spool.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id spool.ID) bool { _, ok := found[id]; return ok })
}

// sidecarsOf lists a folder once for the sidecars of some messages.
func (f folders) sidecarsOf(dir string, ids []spool.ID) (map[spool.ID]spool.Entry, error) {
	missing := make(map[spool.ID]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	found := map[spool.ID]spool.Entry{}
	if len(ids) == 0 {
		return found, nil
	}
	err := f.list(dir, func(name []byte) bool {
		if p := sidecar.ParseName(name); p.Kind == sidecar.Sidecar && missing[spool.ID(p.ID)] {
			e := p.Entry()
			found[e.ID] = e
			delete(missing, e.ID)
		}
		return len(missing) > 0
	})
	return found, err
}

// CountAside is how many messages and foreign files lie in aside/. A message and its
// sidecar are one. fromDrop: what other users of the machine put into the drop is counted
// apart, since it is no mail of ours. It costs one listing.
func (s *Store) CountAside(ctx context.Context) (n, fromDrop int, err error) {
	found := map[string]bool{}
	err = s.folders.list(asideDir, func(name []byte) bool {
		if bytes.HasPrefix(name, []byte(spool.FromDrop)) {
			fromDrop++
			return ctx.Err() == nil
		}
		if sidecar.ParseName(name).Kind != sidecar.Ignored {
			found[sidecar.OwnerAside(name)] = true
		}
		return ctx.Err() == nil
	})
	if err != nil {
		return 0, 0, err
	}
	return len(found), fromDrop, ctx.Err()
}

// Select looks at the bytes of the sidecars.
func (s *Store) Select(ctx context.Context, q spool.HistoryQuery, ended bool, entries []spool.Entry) (read []spool.Entry, waiting []spool.ID, err error) {
	open := func(e spool.Entry) (fsys.File, error) { return s.folders.Open(sidecarOf(e), unix.O_RDONLY, 0) }
	return sidecar.NewFilter(&q, ended).Select(ctx, open, entries)
}
