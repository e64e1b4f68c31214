package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
)

// Flushed notes that this host has ended a flush. A host without a name leaves no trace.
func (s *Store) Flushed(ctx context.Context) error {
	if s.session.host == "" {
		return nil
	}
	return s.db.row(ctx, `select notices.flushed($1)::text`, []any{s.session.host}, new(string))
}

const hostsSQL = `select coalesce(h.name, c.host), extract(epoch from h.last_flush)::bigint,
	extract(epoch from clock_timestamp() - h.last_flush)::bigint, coalesce(c.n, 0)
	from notices.host h full join (
		select s.host, count(*) as n from notices.session s join notices.message m on m.holder = s.id
		where $1 and s.expires > clock_timestamp() group by s.host) c on c.host = h.name
	order by 1`

// Hosts lists the hosts that have flushed within 30 days, or have messages claimed. To count
// claims takes a look at each message's row; without claims that is saved.
func (s *Store) Hosts(ctx context.Context, claims bool) ([]spool.Host, error) {
	return collect(ctx, s.db, toHost, hostsSQL, claims)
}

func toHost(row pgx.CollectableRow) (h spool.Host, err error) {
	var last, age *int64
	if err = row.Scan(&h.Name, &last, &age, &h.Claimed); err == nil && last != nil {
		h.LastFlush, h.Age = seconds(*last), time.Duration(*age)*time.Second
	}
	return h, err
}
