// Package locks is about locks on the server: how long a statement waits for one that another session
// holds, who holds it, and an advisory lock by which others see that a process is alive.
package locks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"notices/spool"
	"notices/spool/printable"
)

// longest is how long a statement waits for a lock.
const longest = 5 * time.Second

// Limit is the value of lock_timeout: how long a statement waits for a lock if the server may be silent
// for as long as patience. It is shorter than that. So the server gives up before the client does, and
// it is known that the statement was not carried out.
func Limit(patience time.Duration) string {
	return strconv.FormatInt(min(longest, patience*2/3).Milliseconds(), 10) // it counts milliseconds
}

// LimitSQL sets lock_timeout to $2 if the process of the connection is $1, as the driver has it: then no
// pooler is in between, and no other client gets the connection. It can stand in a list of columns.
const LimitSQL = `case when pg_backend_pid() = $1 then set_config('lock_timeout', $2, false) end`

// PID is $1 of LimitSQL.
func PID(c *pgx.Conn) int32 { return int32(c.PgConn().PID()) } //nolint:gosec // a pooler makes up numbers of 32 bits

// SetLimit sets lock_timeout on a new connection, unless a pooler is in between.
func SetLimit(ctx context.Context, c *pgx.Conn, limit string) error {
	_, err := c.Exec(ctx, `select `+LimitSQL, PID(c), limit)
	return err
}

// holderSQL finds the session that others wait for. It waits for none itself. A lock that only reads
// stands in the way of a migration alone.
const holderSQL = `select a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
	coalesce(extract(epoch from clock_timestamp() - a.xact_start)::bigint, 0)
	from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
	where l.granted and c.relnamespace = to_regnamespace('notices') and a.datname = current_database() and a.pid <> pg_backend_pid()
	and not exists (select from pg_locks w where w.pid = l.pid and not w.granted)
	order by l.mode = 'AccessShareLock', a.xact_start limit 1`

// Holder says who holds a lock on the tables, and how to end that. It takes a connection of its own: those of
// the pool may all be waiting for the lock.
func Holder(ctx context.Context, pool *pgxpool.Pool) string {
	ctx, cancel := context.WithTimeout(ctx, longest) // it is only for a person to read
	defer cancel()
	var pid, seconds int64
	var user, program, state string
	conn, err := connect(ctx, pool)
	if err == nil {
		err = conn.QueryRow(ctx, holderSQL).Scan(&pid, &user, &program, &state, &seconds)
		_ = conn.Close(ctx) // it has only read
	}
	if err != nil {
		return "another session holds a lock on its tables; pg_locks and pg_stat_activity of the server show which"
	}
	return describe(pid, user, program, state, seconds)
}

const trySQL = `lock table notices.session, notices.message, notices.content, notices.chunk, notices.draft,
	notices.import_key, notices.lock, notices.value, notices.history in row exclusive mode`

// Try takes the locks that writing needs for a moment. If another session holds one in its way for
// longer than limit, the error names that session: spool.ErrUnreachable. Other errors are
// those of rights and of the connection, which others tell better.
func Try(ctx context.Context, pool *pgxpool.Pool, limit string) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select set_config('lock_timeout', $1, true)`, limit)
		if err == nil {
			_, err = tx.Exec(ctx, trySQL)
		}
		return err
	})
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == "55P03" {
		return fmt.Errorf("%w: %s", spool.ErrUnreachable, Holder(ctx, pool))
	}
	return nil
}

// connect makes a connection that is not of the pool, in the same way.
func connect(ctx context.Context, pool *pgxpool.Pool) (*pgx.Conn, error) {
	cfg := pool.Config()
	if cfg.BeforeConnect != nil {
		if err := cfg.BeforeConnect(ctx, cfg.ConnConfig); err != nil {
			return nil, err
		}
	}
	return pgx.ConnectConfig(ctx, cfg.ConnConfig)
}

// describe leaves out what the server does not tell a user without rights.
func describe(pid int64, user, program, state string, seconds int64) string {
	var known []string
	for _, text := range []string{program, state} {
		if text != "" {
			known = append(known, printable.Text(text))
		}
	}
	if seconds > 0 {
		known = append(known, fmt.Sprintf("its transaction began %s ago", time.Duration(seconds)*time.Second))
	}
	who := fmt.Sprintf("process %d of user %s", pid, printable.Text(user))
	if len(known) > 0 {
		who += " (" + strings.Join(known, ", ") + ")"
	}
	return fmt.Sprintf("%s holds a lock on its tables: end its transaction, or run there: select pg_terminate_backend(%d)", who, pid)
}
