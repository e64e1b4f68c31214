package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"notices/spool"
	"notices/spool/postgres/rowtext"
)

// History searches page by page. The conditions in SQL leave out most of the entries that q does not
// choose; q.Chooses decides.
func (s past) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) (bad []spool.Anomaly, err error) {
	addresses, err := s.addressesWith(ctx, q.Recipient)
	if err != nil {
		return nil, err
	}
	where, args := rowtext.Conditions(&q, addresses)
	next, err := s.pages(ctx, where, args)
	for err == nil {
		var page []historyRow
		if page, err = next(); err != nil || len(page) == 0 {
			break
		}
		for i := range page {
			e, err := rowtext.ParseEntry(page[i].entry)
			if err != nil {
				bad = append(bad, spool.Anomaly{Name: fmt.Sprintf("history of %s, recipient %d", page[i].id, page[i].n), Why: err.Error()})
				continue
			}
			if q.Chooses(&e) && !yield(&e) {
				return bad, nil
			}
		}
	}
	return bad, err
}

const (
	historyPage   = 2000
	mostAddresses = 1000
	mostNames     = 100_000
)

// pages returns the entries that the conditions choose, a page at a time, and at the end an empty page.
// If at most mostNames entries are chosen, their names are read first, by the index that suits the
// conditions, and sorted here: to find few entries in order, the server would read all of them. If
// more are chosen, reading all in order finds a page soon.
func (s past) pages(ctx context.Context, where string, args []any) (next func() ([]historyRow, error), err error) {
	if len(args) > 0 {
		names, err := collect(ctx, s.db, toName, fmt.Sprintf(`select queued, id, n from notices.history where %s limit %d`, where, mostNames+1), args...)
		if err != nil {
			return nil, err
		}
		if len(names) <= mostNames {
			slices.SortFunc(names, historyName.compare)
			return func() (page []historyRow, err error) {
				for len(names) > 0 && len(page) == 0 && err == nil { // a page may have been forgotten meanwhile
					n := min(len(names), historyPage)
					page, err = s.named(ctx, names[:n])
					names = names[n:]
				}
				return page, err
			}, nil
		}
	}
	sql := fmt.Sprintf(`select queued, id, n, entry from notices.history where (queued, id, n) > ($%d, $%d, $%d) and %s order by queued, id, n limit %d`,
		len(args)+1, len(args)+2, len(args)+3, where, historyPage)
	last := historyName{queued: -1 << 62}
	return func() ([]historyRow, error) {
		page, err := collect(ctx, s.db, toHistoryRow, sql, append(slices.Clip(args), last.queued, last.id, last.n)...)
		if len(page) > 0 {
			last = page[len(page)-1].historyName
		}
		return page, err
	}, nil
}

const namedSQL = `select h.queued, h.id, h.n, h.entry from unnest($1::bigint[], $2::text[], $3::integer[]) as u(q, i, k)
	join notices.history h on h.queued = u.q and h.id = u.i and h.n = u.k order by h.queued, h.id, h.n`

// named reads the entries of some names.
func (s past) named(ctx context.Context, names []historyName) ([]historyRow, error) {
	queued, ids, places := make([]int64, len(names)), make([]string, len(names)), make([]int32, len(names))
	for i, r := range names {
		queued[i], ids[i], places[i] = r.queued, r.id, r.n
	}
	return collect(ctx, s.db, toHistoryRow, namedSQL, queued, ids, places)
}

// addressesWith returns the recipients whose address contains part, found by the index of recipients
// alone: rows are ten times as wide, and most recipients have many. It returns nil if there are more
// than mostAddresses, or if part is a whole address.
func (s past) addressesWith(ctx context.Context, part string) ([]string, error) {
	if part == "" || part == "<>" || strings.IndexByte(part, '@') > 0 {
		return nil, nil
	}
	const sql = `select distinct recipient from notices.history where strpos(recipient, $1) > 0 limit $2`
	list, err := collect(ctx, s.db, pgx.RowTo[string], sql, rowtext.Storable(strings.ToLower(part)), mostAddresses+1)
	if len(list) > mostAddresses || err != nil {
		return nil, err
	}
	return append([]string{}, list...), nil
}

type historyName struct {
	queued int64
	id     string
	n      int32
}

func (a historyName) compare(b historyName) int {
	return cmp.Or(cmp.Compare(a.queued, b.queued), cmp.Compare(a.id, b.id), cmp.Compare(a.n, b.n))
}

func toName(row pgx.CollectableRow) (r historyName, err error) {
	return r, row.Scan(&r.queued, &r.id, &r.n)
}

type historyRow struct {
	historyName
	entry []byte
}

func toHistoryRow(row pgx.CollectableRow) (r historyRow, err error) {
	return r, row.Scan(&r.queued, &r.id, &r.n, &r.entry)
}
