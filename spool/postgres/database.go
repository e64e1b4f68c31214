package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"notices/spool/postgres/locks"
)

// How long a call is made again, and the pauses between; and for how long none is tried when
// one was given up.
const (
	retryFor   = 15 * time.Second
	firstPause = 20 * time.Millisecond
	longPause  = time.Second
	awayFor    = 5 * time.Second
)

// database calls the functions of the schema. Each call may be made again.
type database struct {
	pool      *pgxpool.Pool
	retryFor  time.Duration // how long a call is made again
	lockLimit string        // of locks.SetLimit
	reached   atomic.Bool   // it answered once: a loss is worth waiting for
	direct    atomic.Bool   // no pooler is in between: it may keep prepared statements and settings
	away      atomic.Pointer[loss]
}

// connected is called with each new connection. On the first one it is not known whether a pooler is in
// between: version finds that out and sets the limit, too.
func (db *database) connected(ctx context.Context, c *pgx.Conn) error {
	if !db.direct.Load() {
		return nil
	}
	return locks.SetLimit(ctx, c, db.lockLimit)
}

// loss is why a call was given up, and until when others are not tried: each of those that a
// host that was cut off wants to make to end its work would wait as long.
type loss struct {
	error
	until time.Time
}

// lost notes that the database is away, and gives up all connections to it.
func (db *database) lost(err error) {
	db.away.Store(&loss{err, time.Now().Add(awayFor)})
	db.reached.Store(false)
	db.pool.Reset()
}

// maybeDone is an error of a call that may have been carried out.
type maybeDone struct{ error }

func (e maybeDone) Unwrap() error { return e.error }

// row makes a call that answers with one row.
func (db *database) row(ctx context.Context, sql string, args []any, dest ...any) error {
	_, err := db.rowAgain(ctx, sql, args, dest...)
	return err
}

// rowAgain is row. again: an earlier try may have been carried out, although its answer was lost.
func (db *database) rowAgain(ctx context.Context, sql string, args []any, dest ...any) (again bool, err error) {
	return db.try(ctx, func(ctx context.Context) error {
		return db.pool.QueryRow(ctx, sql, args...).Scan(dest...)
	})
}

// again does something that may be done again until the database has answered it.
func (db *database) again(ctx context.Context, do func(context.Context) error) error {
	_, err := db.try(ctx, do)
	return err
}

// try is again. maybe: an earlier try may have been carried out, although its answer was lost.
func (db *database) try(ctx context.Context, do func(context.Context) error) (maybe bool, err error) {
	if l := db.away.Load(); l != nil && time.Now().Before(l.until) {
		return false, l.error
	}
	began, sent := time.Now(), false
	for n, pause := 1, firstPause; ; n, pause = n+1, min(2*pause, longPause) {
		err := do(ctx)
		if err == nil {
			db.reached.Store(true)
			db.away.Store(nil)
			return maybe, nil
		}
		sent = db.learn(err) || sent
		// A silent connection may have taken all the time. A new one is tried once even then.
		late := n > 1 && time.Since(began)+pause > db.retryFor
		if !worthAgain(err) || !db.reached.Load() || late || !sleep(ctx, pause) {
			return maybe, db.giveUp(ctx, err, sent)
		}
		// A server that stops may say so between a commit and its answer.
		maybe = sent || maybe || codeOf(err) == shutDown || codeOf(err) == crashed
	}
}

// learn notes what an error says of the connections. sent: the call may have been carried out.
func (db *database) learn(err error) (sent bool) {
	if code := codeOf(err); code == noStatement || code == sameStatement {
		db.direct.Store(false)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		db.pool.Reset() // this connection is cut off, and so the others are, too
	}
	return codeOf(err) == "" && !pgconn.SafeToRetry(err) && !errors.As(err, new(*pgconn.ConnectError))
}

// giveUp returns the error of a call that is not made again.
func (db *database) giveUp(ctx context.Context, err error, sent bool) error {
	why := explain(err)
	locked := codeOf(err) == lockTimeout
	if locked {
		why = fmt.Errorf("%w; %s", why, locks.Holder(ctx, db.pool))
	}
	if worthAgain(err) && ctx.Err() == nil && (codeOf(err) == "" || locked) {
		db.lost(why)
	}
	if sent {
		why = maybeDone{why}
	}
	return why
}

// sleep reports whether the context let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// collect makes a call that answers with many rows; each begins anew with the first.
func collect[T any](ctx context.Context, db *database, scan pgx.RowToFunc[T], sql string, args ...any) (list []T, err error) {
	err = db.again(ctx, func(ctx context.Context) error {
		rows, err := db.pool.Query(ctx, sql, args...)
		if err == nil {
			list, err = pgx.CollectRows(rows, scan)
		}
		return err
	})
	return list, err
}
