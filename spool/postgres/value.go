package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
)

// State gives the small values.
func (s *Store) State() spool.State { return values{s.db} }

// values implements spool.State. A value has a version, drawn anew at each change, so that
// a change of another host between reading and writing is seen.
type values struct{ db *database }

func (v values) Load(ctx context.Context, name string) ([]byte, error) {
	data, _, err := v.load(ctx, name)
	return data, err
}

func (v values) load(ctx context.Context, name string) (data []byte, version int64, err error) {
	if !spool.ID(name).Valid() {
		return nil, 0, fmt.Errorf("%q cannot name a state value", name)
	}
	err = v.db.row(ctx, `select data, version from notices.value where name = $1`, []any{name}, &data, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	return data, version, err
}

// Update tries until nobody was faster.
func (v values) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	for {
		old, version, err := v.load(ctx, name)
		if err != nil {
			return err
		}
		data, err := change(old)
		if err != nil || data == nil && old == nil {
			return err
		}
		var done bool
		err = v.db.row(ctx, `select notices.swap($1, $2, $3, $4, $5)`, []any{name, version, nonce(), data, durable}, &done)
		if err != nil || done {
			return err
		}
		if !sleep(ctx, rand.N(5*time.Millisecond)) {
			return ctx.Err()
		}
	}
}
