package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"notices/spool"
)

// Imports is the lock of imports, a row in notices.lock with a token. It ends with the session that took
// it. Its token is odd if it also has a guard, whose key is the token: then the lock ends with the guard,
// that is, as soon as the process is killed. An import that loses its guard while it runs is fenced off
// by its token, as one that stood still for too long is.
type Imports struct {
	Pool *pgxpool.Pool
	// Row makes a call that answers with one row, again if its answer is lost.
	Row func(ctx context.Context, sql string, args []any, dest ...any) error
	// Within makes a call that needs a living session.
	Within func(ctx context.Context, call func(session int64) (answer string, err error)) (session int64, answer string, err error)
	Lease  time.Duration // of a session
}

const importLock = "import"

const (
	// freeSQL frees a lock whose guard is gone. It also says whether the lock has a guard.
	freeSQL = `with dead as (delete from notices.lock where name = $1 and token % 2 = 1 and pg_try_advisory_xact_lock(token) returning token)
		select exists (select from dead), coalesce((select token % 2 = 1 from notices.lock where name = $1), true)`
	guardedSQL = `with mine as (update notices.lock set token = $3 where name = $1 and token in ($2, $3) returning token) select exists (select from mine)`
)

// Held is the lock while this process has it.
type Held struct {
	Token   int64
	imports Imports
	guard   *guard
}

// Take takes the lock. nonce was drawn for it. spool.ErrBusy: another import has it.
func (i Imports) Take(ctx context.Context, nonce int64) (*Held, error) {
	h := &Held{Token: nonce&^1 | 2, imports: i}
	taken, err := h.take(ctx)
	if err == nil && !taken {
		if err = i.free(ctx); err == nil {
			taken, err = h.take(ctx)
		}
	}
	if err == nil && taken {
		taken, err = h.addGuard(ctx)
	}
	if err == nil && !taken {
		err = fmt.Errorf("another import is running: %w", spool.ErrBusy)
	}
	return h, err
}

func (h *Held) take(ctx context.Context) (taken bool, err error) {
	_, answer, err := h.imports.Within(ctx, func(session int64) (answer string, err error) {
		err = h.imports.Row(ctx, `select notices.take_lock($1, $2, $3)`, []any{importLock, session, h.Token}, &answer)
		return answer, err
	})
	return answer == "ok", err
}

// free frees the lock if the import that has it was killed. Without a guard that is not known.
func (i Imports) free(ctx context.Context) error {
	var freed, guarded bool
	err := i.Row(ctx, freeSQL, []any{importLock}, &freed, &guarded)
	if err == nil && !guarded {
		err = fmt.Errorf("another import is running, or was killed, and then its lock is free within %d seconds: %w", int(i.Lease.Seconds()), spool.ErrBusy)
	}
	return err
}

// addGuard gives the lock a guard, if there can be one.
func (h *Held) addGuard(ctx context.Context) (taken bool, err error) {
	g := newGuard(ctx, h.imports.Pool, h.Token+1)
	if g == nil {
		return true, nil
	}
	err = h.imports.Row(ctx, guardedSQL, []any{importLock, h.Token, h.Token + 1}, &taken)
	if err != nil || !taken {
		g.release()
		return false, err
	}
	h.Token, h.guard = h.Token+1, g
	return true, nil
}

// Release lets go of the lock.
func (h *Held) Release(ctx context.Context) error {
	defer h.guard.release()
	err := h.imports.Row(context.WithoutCancel(ctx), `select notices.drop_lock($1, $2)::text`, []any{importLock, h.Token}, new(string))
	if errors.Is(err, spool.ErrUnreachable) {
		return nil // what was imported stays, and the lock ends with the session
	}
	return err
}
