package postgres

import (
	"context"
	"fmt"
	"strings"

	"notices/spool"
)

// searchText is the column by which a message is found: the sender, each recipient and the
// reference, a line each, addresses in lower case.
func searchText(env *spool.Envelope) string {
	var b strings.Builder
	b.WriteString("\n" + strings.ToLower(env.Sender) + "\n")
	for _, r := range env.Recipients {
		b.WriteString(strings.ToLower(r) + "\n")
	}
	b.WriteString(env.Ref + "\n")
	return storable(b.String())
}

// needles lists texts, each of which is part of the searchText of every message that the query may
// choose.
func needles(q *spool.HistoryQuery) (list []string) {
	for _, want := range []string{q.Recipient, q.Sender} {
		want = strings.ToLower(want)
		switch at := strings.IndexByte(want, '@'); {
		case want == "" || want == "<>":
			continue
		case at > 0:
			want = "\n" + want + "\n"
		case at == 0:
			want += "\n"
		}
		list = append(list, storable(want))
	}
	if q.Ref != "" {
		list = append(list, storable("\n"+q.Ref+"\n"))
	}
	return list
}

// Candidates lists what the query may choose, in one statement that reads no envelope.
func (s listings) Candidates(ctx context.Context, q spool.HistoryQuery) ([]spool.Entry, error) {
	sql, args := columns+`where state <> 'a'`, []any{}
	for i, needle := range needles(&q) {
		sql += fmt.Sprintf(` and (search is null or strpos(search, $%d) > 0)`, i+1)
		args = append(args, needle)
	}
	if len(q.IDs) > 0 {
		sql += fmt.Sprintf(` and id = any($%d)`, len(args)+1)
		args = append(args, texts(q.IDs))
	}
	return collect(ctx, s.db, toEntry, sql, args...)
}
