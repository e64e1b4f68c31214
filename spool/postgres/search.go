package postgres

import (
	"context"
	"fmt"

	"notices/spool"
	"notices/spool/postgres/rowtext"
)

// Candidates lists what the query may choose, in one statement that reads no envelope.
func (s listings) Candidates(ctx context.Context, q spool.HistoryQuery) ([]spool.Entry, error) {
	sql, args := columns+`where state <> 'a'`, []any{}
	for i, needle := range rowtext.Needles(&q) {
		sql += fmt.Sprintf(` and (search is null or strpos(search, $%d) > 0)`, i+1)
		args = append(args, needle)
	}
	if len(q.IDs) > 0 {
		sql += fmt.Sprintf(` and id = any($%d)`, len(args)+1)
		args = append(args, rowtext.Texts(q.IDs))
	}
	return collect(ctx, s.db, toEntry, sql, args...)
}
