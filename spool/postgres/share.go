package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"notices/spool/postgres/batch"
)

// Calls that share a transaction, and transactions at a time.
const (
	mostShared = 32
	mostAtOnce = 1
)

// preparedAfter is how many calls make it worth while to prepare them on the server.
const preparedAfter = 30

// sharer lets calls that come at the same time share a statement, a round trip and a transaction,
// as the many workers of a flush make them. No call waits for others to come. They must not be
// durable: the transaction is committed asynchronously.
type sharer struct {
	db *database

	mu      sync.Mutex
	waiting []*call
	working int   // transactions under way
	made    int64 // calls
}

// call is what is asked for one message.
type call struct {
	batch.Call
	done chan outcome
}

type outcome struct {
	again bool // it may have been carried out before
	err   error
}

func newCall(of *batch.Function, args []any, dest ...any) *call {
	return &call{batch.Call{Of: of, Args: args, Dest: dest}, make(chan outcome, 1)}
}

// row makes a call.
func (s *sharer) row(of *batch.Function, args []any, dest ...any) (again bool, err error) {
	c := newCall(of, args, dest...)
	s.start(c)
	o := <-c.done
	return o.again, o.err
}

// start makes calls, whose outcomes come when they are done.
func (s *sharer) start(calls ...*call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, calls...)
	s.made += int64(len(calls))
	if s.working < mostAtOnce && len(calls) > 0 {
		s.working++
		go s.work()
	}
}

// alone makes a call in a transaction of its own, which may be durable.
func (db *database) alone(of *batch.Function, args []any, dest ...any) (again bool, err error) {
	return db.send([]*batch.Call{{Of: of, Args: args, Dest: dest}}, false, false)
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
	slices.SortStableFunc(calls, func(a, b *call) int { return cmp.Compare(a.Of.Place, b.Of.Place) })
	return calls, s.made > preparedAfter
}

func (s *sharer) make(calls []*call, prepared bool) (o outcome) {
	list := make([]*batch.Call, len(calls))
	for i := range calls {
		list[i] = &calls[i].Call
	}
	direct := s.db.direct.Load()
	o.again, o.err = s.db.send(list, prepared && direct, direct)
	return o
}

// send makes calls in one transaction. watch: the connection is this program's own, and is to be watched.
func (db *database) send(calls []*batch.Call, prepared, watch bool) (again bool, err error) {
	return db.try(context.Background(), func(ctx context.Context) error {
		err := db.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			for i := 0; i < len(calls) && prepared; i++ {
				if _, err := c.Conn().Prepare(ctx, calls[i].Of.SQL, calls[i].Of.SQL); err != nil {
					return err
				}
			}
			return batch.Send(ctx, c.Conn(), calls, watch)
		})
		if errors.As(err, new(*batch.AnswerError)) {
			err = &noAnswer{err}
		}
		return err
	})
}
