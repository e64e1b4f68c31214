package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Calls that share a transaction, and transactions at a time.
const (
	mostShared = 32
	mostAtOnce = 2
)

// preparedAfter is how many calls make it worth while to prepare them on the server.
const preparedAfter = 30

// sharer lets calls that come at the same time share a round trip and a transaction, as
// the many workers of a flush make them. No call waits for others to come. They must not be
// durable: the transaction is committed asynchronously.
type sharer struct {
	db *database

	mu      sync.Mutex
	waiting []*call
	working int   // transactions under way
	made    int64 // calls
}

// call is one call of a function that answers with one row.
type call struct {
	sql  string
	args []any
	dest []any
	done chan outcome
}

type outcome struct {
	again bool // it may have been carried out before
	err   error
}

// row makes a call.
func (s *sharer) row(sql string, args []any, dest ...any) (again bool, err error) {
	c := &call{sql: sql, args: args, dest: dest, done: make(chan outcome, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, c)
	s.made++
	if s.working < mostAtOnce {
		s.working++
		go s.work()
	}
	s.mu.Unlock()
	o := <-c.done
	return o.again, o.err
}

// work makes calls until none waits.
func (s *sharer) work() {
	for calls, prepared := s.take(); calls != nil; calls, prepared = s.take() {
		o := s.make(calls, prepared)
		if code := codeOf(o.err); code != "" && code != lockTimeout && len(calls) > 1 { // the server refused one of them
			for i := range calls {
				calls[i].done <- s.make(calls[i:i+1], prepared)
			}
			continue
		}
		for _, c := range calls {
			c.done <- o
		}
	}
}

// take returns nil when none waits.
func (s *sharer) take() (calls []*call, prepared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.working--
		return nil, false
	}
	n := min(len(s.waiting), mostShared)
	calls, s.waiting = s.waiting[:n:n], s.waiting[n:]
	return calls, s.made > preparedAfter
}

func (s *sharer) make(calls []*call, prepared bool) (o outcome) {
	o.again, o.err = s.db.try(context.Background(), func(ctx context.Context) error {
		return s.db.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			if prepared && s.db.direct.Load() {
				for _, one := range calls {
					if _, err := c.Conn().Prepare(ctx, one.sql, one.sql); err != nil {
						return err
					}
				}
			}
			return together(ctx, c.Conn(), calls, s.db.direct.Load())
		})
	})
	return o
}

// watchSQL makes the server end a connection whose other side is silent for half a minute. A host
// that is cut off when half of its batch has arrived leaves a transaction with locks on messages; by
// default a server keeps it for two hours.
const watchSQL = `select set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
	set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30000', false)`

// watched is the key in a connection's data that says that watchSQL was done.
const watched = "watched"

// together makes calls in one transaction. direct: the connection is this program's own.
func together(ctx context.Context, c *pgx.Conn, calls []*call, direct bool) error {
	if len(calls) == 1 {
		return c.QueryRow(ctx, calls[0].sql, calls[0].args...).Scan(calls[0].dest...)
	}
	data, b := c.PgConn().CustomData(), &pgx.Batch{}
	watch := direct && data[watched] == nil
	if watch {
		b.Queue(watchSQL)
	}
	for _, one := range calls {
		b.Queue(one.sql, one.args...)
	}
	results := c.SendBatch(ctx, b)
	if watch {
		_, _ = results.Exec() // an error is that of all
	}
	for _, one := range calls {
		if err := results.QueryRow().Scan(one.dest...); err != nil {
			_ = results.Close() // it failed
			return err
		}
	}
	err := results.Close()
	if watch && err == nil {
		data[watched] = true
	}
	return err
}
