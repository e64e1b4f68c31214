package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
)

// State gives the small values.
func (s *Store) State() spool.State { return values{s.db, &s.mine} }

// values implements spool.State. A value has a version, drawn anew at each change, so that
// a change of another host between reading and writing is seen.
//
// What this store wrote last is tried as the old value first, which saves the reading, unless
// another host was the last to write it.
type values struct {
	db   *database
	mine *sync.Map // *written by name
}

type written struct {
	version int64
	data    []byte
	alone   bool // no other store wrote it between the last two writes
}

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
	mine, _ := v.mine.LoadAndDelete(name)
	last, _ := mine.(*written)
	if done, err := v.updateLast(ctx, name, last, durable, change); err != nil || done {
		return err
	}
	for {
		old, version, err := v.load(ctx, name)
		if err != nil {
			return err
		}
		data, err := change(old)
		if err != nil || data == nil && old == nil {
			return err
		}
		alone := last != nil && last.version == version
		if done, err := v.swap(ctx, name, &written{version: version}, data, durable, alone); err != nil || done {
			return err
		}
		if !sleep(ctx, rand.N(5*time.Millisecond)) {
			return ctx.Err()
		}
	}
}

// updateLast tries with what this store wrote last, without reading the value. An error of change is
// ignored: what this store wrote last may be out of date.
func (v values) updateLast(ctx context.Context, name string, last *written, durable bool, change func([]byte) ([]byte, error)) (done bool, err error) {
	if last == nil || !last.alone {
		return false, nil
	}
	data, err := change(bytes.Clone(last.data))
	if err != nil || data == nil {
		return false, nil
	}
	return v.swap(ctx, name, last, data, durable, true)
}

// swap replaces what is old, if that is still there.
func (v values) swap(ctx context.Context, name string, old *written, data []byte, durable, alone bool) (done bool, err error) {
	n := nonce()
	err = v.db.row(ctx, `select notices.swap($1, $2, $3, $4, $5)`, []any{name, old.version, n, data, durable}, &done)
	if err == nil && done && data != nil && len(data) <= 16<<10 { // no copy of a larger one is kept
		v.mine.Store(name, &written{n, bytes.Clone(data), alone})
	}
	return done, err
}
