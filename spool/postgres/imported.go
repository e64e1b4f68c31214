package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
	"notices/spool/postgres/locks"
)

// Imported takes the lock of imports, forgets the keys of what left before since, and reads the
// others. What is committed until the release carries the lock's token, and is refused if another
// import has had the lock since.
func (s *Store) Imported(ctx context.Context, since time.Time) (map[spool.ImportKey]struct{}, func() error, error) {
	lock, err := locks.Imports{Pool: s.db.pool, Row: s.db.row, Within: s.session.within, Lease: s.session.lease}.Take(ctx, nonce())
	if err != nil {
		return nil, nil, err
	}
	s.fence.Store(lock.Token)
	release := func() error {
		s.fence.CompareAndSwap(lock.Token, 0)
		return lock.Release(ctx)
	}
	keys, err := s.importKeys(ctx, since.Unix())
	if err != nil {
		_ = release() // or it ends with the session
		return nil, nil, err
	}
	return keys, release, nil
}

// movedID stands in import_key for the messages of another spool.
const movedID = "moved"

// AddImported adds keys whose messages are gone.
func (s *Store) AddImported(ctx context.Context, keys ...spool.ImportKey) error {
	octets := make([][]byte, len(keys))
	for i := range keys {
		octets[i] = keys[i][:]
	}
	return s.db.again(ctx, func(ctx context.Context) error {
		_, err := s.db.pool.Exec(ctx, `insert into notices.import_key (id, key, gone)
			select $1::text, k, extract(epoch from clock_timestamp())::bigint from unnest($2::bytea[]) as u(k)
			on conflict (id, key) do update set gone = excluded.gone`, movedID, octets)
		return err
	})
}

// KnowsKeys returns the messages whose import keys are known under their ids. Each of them was here;
// it may have left.
func (s *Store) KnowsKeys(ctx context.Context, keys map[spool.ID]spool.ImportKey) ([]spool.ID, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var ids []string
	var octets [][]byte
	for id, key := range keys {
		ids, octets = append(ids, string(id)), append(octets, key[:])
	}
	return collect(ctx, s.db, func(row pgx.CollectableRow) (id spool.ID, err error) { return id, row.Scan(&id) },
		`select k.id from notices.import_key k join unnest($1::text[], $2::bytea[]) as u(i, k) on k.id = u.i and k.key = u.k`, ids, octets)
}

func (s *Store) importKeys(ctx context.Context, since int64) (map[spool.ImportKey]struct{}, error) {
	err := s.db.again(ctx, func(ctx context.Context) error {
		_, err := s.db.pool.Exec(ctx, `delete from notices.import_key where gone < $1`, since)
		return err
	})
	if err != nil {
		return nil, err
	}
	keys := map[spool.ImportKey]struct{}{}
	type named struct {
		id  string
		key []byte
	}
	last := named{key: []byte{}}
	for {
		page, err := collect(ctx, s.db, func(row pgx.CollectableRow) (n named, err error) {
			return n, row.Scan(&n.id, &n.key)
		}, `select id, key from notices.import_key where (id, key) > ($1, $2) and key <> '' order by id, key limit $3`, last.id, last.key, pageSize)
		if err != nil {
			return nil, err
		}
		for _, n := range page {
			var key spool.ImportKey
			copy(key[:], n.key)
			keys[key] = struct{}{}
		}
		if len(page) < pageSize {
			return keys, nil
		}
		last = page[len(page)-1]
	}
}
