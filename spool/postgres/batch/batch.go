// Package batch makes calls of functions in a database that take many calls at once.
package batch

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Function is a function of the schema that takes many calls at once: arrays of their arguments. It
// answers with a row for each call, whose first column is the number of the call, from 1.
type Function struct {
	// Place orders the functions that share a transaction. Claims come last: they wait for no lock. So
	// a transaction that waits for one has locked no message but those that it was given.
	Place int
	SQL   string
}

// Call is what is asked for one message.
type Call struct {
	Of   *Function
	Args []any // see arrays
	Dest []any // what the columns behind the first one of the answer are read into
}

// watchSQL makes the server end a connection whose other side is silent for half a minute. A host
// that is cut off when half of its batch has arrived leaves a transaction with locks on messages; by
// default a server keeps it for two hours.
const watchSQL = `select set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
	set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30000', false)`

// watched is the key in a connection's data that says that watchSQL was done.
const watched = "watched"

// Send makes calls in one transaction, those of one function in one statement. They are in the
// order of their functions. watch: the connection is this program's own, and is to be watched.
func Send(ctx context.Context, c *pgx.Conn, calls []*Call, watch bool) error {
	data, b := c.PgConn().CustomData(), &pgx.Batch{}
	watch = watch && len(calls) > 1 && data[watched] == nil
	if watch {
		b.Queue(watchSQL)
	}
	for len(calls) > 0 {
		n := 1
		for n < len(calls) && calls[n].Of == calls[0].Of {
			n++
		}
		these := calls[:n]
		b.Queue(these[0].Of.SQL, arrays(these)...).Query(func(rows pgx.Rows) error { return answer(rows, these) })
		calls = calls[n:]
	}
	closed := c.IsClosed()
	err := c.SendBatch(ctx, b).Close()
	switch {
	case err == nil && watch:
		data[watched] = true
	case err != nil && !closed && !errors.As(err, new(*pgconn.PgError)) && !errors.As(err, new(*AnswerError)):
		return sentError{err}
	}
	return err
}

// AnswerError says that a function did not answer each call.
type AnswerError struct{ answered, calls int }

func (e *AnswerError) Error() string {
	return fmt.Sprintf("the database answered %d of %d calls", e.answered, e.calls)
}

// sentError is the error of a batch that was sent. If the connection is lost then, the driver says that
// the connection is closed, and that it is safe to try again, as if nothing had been sent.
type sentError struct{ error }

func (e sentError) Unwrap() error { return e.error }

// SafeToRetry is asked by the driver's function of this name.
func (sentError) SafeToRetry() bool { return false }

// answer reads the row of each call.
func answer(rows pgx.Rows, calls []*Call) error {
	place := 0
	for i, c := range calls {
		if !rows.Next() {
			break
		}
		if err := rows.Scan(append([]any{&place}, c.Dest...)...); err != nil {
			return err
		}
		if place != i+1 {
			break
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	if place != len(calls) {
		return &AnswerError{place, len(calls)}
	}
	return nil
}

// arrays makes an array of each argument of the calls: of a single value one element, of a list
// all that it has.
func arrays(calls []*Call) []any {
	all := make([]any, len(calls[0].Args))
	for i, arg := range calls[0].Args {
		switch arg.(type) {
		case string:
			all[i] = single[string](calls, i)
		case []byte:
			all[i] = single[[]byte](calls, i)
		case bool:
			all[i] = single[bool](calls, i)
		case int32:
			all[i] = single[int32](calls, i)
		case int64:
			all[i] = single[int64](calls, i)
		case *int64:
			all[i] = single[*int64](calls, i)
		case []string:
			all[i] = lists[string](calls, i)
		case [][]byte:
			all[i] = lists[[]byte](calls, i)
		case []int32:
			all[i] = lists[int32](calls, i)
		case []int64:
			all[i] = lists[int64](calls, i)
		}
	}
	return all
}

func single[T any](calls []*Call, i int) []T {
	list := make([]T, len(calls))
	for k, c := range calls {
		list[k] = c.Args[i].(T)
	}
	return list
}

func lists[T any](calls []*Call, i int) []T {
	list := make([]T, 0, len(calls))
	for _, c := range calls {
		list = append(list, c.Args[i].([]T)...)
	}
	return list
}
