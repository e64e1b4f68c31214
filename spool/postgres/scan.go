package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
)

// listings are the methods of a Store that list.
type listings struct{ db *database }

// pageSize is how many messages one query lists. No connection is held while they are shown, so
// that what is shown can be claimed at once.
const pageSize = 5000

const columns = `select id, state::text, next, expires from notices.message `

// Scan lists what is queued, deferred or held.
func (s listings) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.pages(ctx, yield, columns+`where id > $1 and state in ('q', 'h') order by id limit $2`)
}

// ScanFailed lists what has failed.
func (s listings) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.pages(ctx, yield, columns+`where id > $1 and state = 'f' order by id limit $2`)
}

func (s listings) pages(ctx context.Context, yield func(spool.Entry) bool, sql string) error {
	for last := ""; ; {
		page, err := collect(ctx, s.db, toEntry, sql, last, pageSize)
		if err != nil {
			return err
		}
		for _, e := range page {
			if !yield(e) {
				return nil
			}
		}
		if len(page) < pageSize {
			return nil
		}
		last = string(page[len(page)-1].ID)
	}
}

// ScanDue lists what is queued or held and due at now, and what is not due until after latest: a
// clock was wrong then. Both by an index.
func (s listings) ScanDue(ctx context.Context, now, latest time.Time, yield func(spool.Entry) bool) error {
	err := s.dueBetween(ctx, math.MinInt64, now.Unix(), yield)
	if err == nil {
		err = s.dueBetween(ctx, latest.Unix()+1, math.MaxInt64, yield)
	}
	if err == errEnough {
		return nil
	}
	return err
}

var errEnough = errors.New("enough was seen")

const dueSQL = columns + `where state in ('q', 'h') and next <= $1 and (next, id) > ($2, $3) order by next, id limit $4`

func (s listings) dueBetween(ctx context.Context, least, most int64, yield func(spool.Entry) bool) error {
	for last := ""; ; {
		page, err := collect(ctx, s.db, toEntry, dueSQL, most, least, last, pageSize)
		if err != nil {
			return err
		}
		for _, e := range page {
			if !yield(e) {
				return errEnough
			}
		}
		if len(page) < pageSize {
			return nil
		}
		e := page[len(page)-1]
		least, last = e.Next.Unix(), string(e.ID)
	}
}

func toEntry(row pgx.CollectableRow) (spool.Entry, error) {
	var id string
	var l listed
	err := row.Scan(&id, &l.state, &l.next, &l.expires)
	return l.entry(spool.ID(id)), err
}

// Find looks messages up.
func (s listings) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	found := map[spool.ID]spool.Entry{}
	for len(ids) > 0 {
		n := min(len(ids), pageSize)
		var names []string
		for _, id := range ids[:n] {
			if id.Valid() {
				names = append(names, string(id))
			}
		}
		ids = ids[n:]
		page, err := collect(ctx, s.db, toEntry, columns+`where id = any($1) and state <> 'a'`, names)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			found[e.ID] = e
		}
	}
	return found, nil
}

// gone turns an answer without a row into ErrGone.
func gone(err error, what string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, spool.ErrGone)
	}
	return err
}

// Usage adds up what messages take.
func (s listings) Usage(ctx context.Context) (octets int64, err error) {
	err = s.db.row(ctx, `select coalesce(sum(stored), 0)::bigint from notices.message`, nil, &octets)
	return octets, err
}

// UsageFailed is that of the failed ones.
func (s listings) UsageFailed(ctx context.Context) (octets int64, err error) {
	err = s.db.row(ctx, `select coalesce(sum(stored), 0)::bigint from notices.message where state = 'f'`, nil, &octets)
	return octets, err
}
