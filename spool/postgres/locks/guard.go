package locks

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// guard is a connection that has an advisory lock. When the process that made it is killed, the system
// closes the connection, and the server ends the lock at once.
type guard struct{ conn *pgx.Conn }

// guardSQL takes the lock unless a pooler is in between, which would keep the connection and with it the lock.
const guardSQL = `select case when pg_backend_pid() = $1 then pg_try_advisory_lock($2) else false end`

// newGuard makes a guard with a connection of its own. It returns nil if there cannot be one: a pooler
// is in between, or the server takes no more connections.
func newGuard(ctx context.Context, pool *pgxpool.Pool, key int64) *guard {
	conn, err := connect(ctx, pool)
	if err != nil {
		return nil
	}
	g, held := &guard{conn}, false
	if err := conn.QueryRow(ctx, guardSQL, PID(conn), key).Scan(&held); err != nil || !held {
		g.release()
		return nil
	}
	return g
}

// release ends the lock. A nil guard has none.
func (g *guard) release() {
	if g == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = g.conn.Close(ctx) // the server notices that it is gone in any case
}
