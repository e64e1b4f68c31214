package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"notices/spool"
)

// past are the methods of a Store about its history.
type past struct {
	db  *database
	off bool // none is kept
}

// endings are the arguments by which a step adds what became of a message to the history, in
// its own transaction.
func (s past) endings(r *spool.Record, last spool.Event) []any {
	if s.off {
		return historyArgs(nil)
	}
	return historyArgs(r.Endings(last, time.Now()))
}

// historyArgs are the arguments of notices.add_history, and the last ones of remove and fail.
func historyArgs(entries []spool.HistoryEntry) []any {
	n := len(entries)
	column := func(of func(*spool.HistoryEntry) string) []string {
		list := make([]string, n)
		for i := range entries {
			list[i] = storable(of(&entries[i]))
		}
		return list
	}
	places, queued, ended, texts := make([]int32, n), make([]int64, n), make([]int64, n), make([][]byte, n)
	for i := range entries {
		e := &entries[i]
		places[i], queued[i], ended[i] = int32(e.Index), e.QueuedAt.Unix(), e.EndedAt.Unix()
		texts[i] = entryText(e)
	}
	return []any{
		column(func(e *spool.HistoryEntry) string { return string(e.ID) }), places, queued, ended,
		column(func(e *spool.HistoryEntry) string { return string(e.Ending) }),
		column(func(e *spool.HistoryEntry) string { return strings.ToLower(e.Recipient) }),
		column(func(e *spool.HistoryEntry) string { return strings.ToLower(e.Sender) }),
		column(func(e *spool.HistoryEntry) string { return e.Ref }),
		column(func(e *spool.HistoryEntry) string { return e.MessageID }),
		column(func(e *spool.HistoryEntry) string { return e.EnvelopeID }),
		texts,
		column(func(e *spool.HistoryEntry) string { return e.Site }),
	}
}

// storedEntry is an entry as JSON. JSON holds no text that is not UTF-8, as a server's reply may
// be: Bytes has such texts.
type storedEntry struct {
	spool.HistoryEntry
	Bytes map[int][]byte `json:",omitempty"` // by index in entryStrings
}

func entryStrings(e *spool.HistoryEntry) []*string {
	return []*string{&e.Sender, &e.Recipient, &e.Ref, &e.MessageID, &e.EnvelopeID, &e.Last.Reply.Server, &e.Last.Reply.Host, &e.Last.Reply.Enhanced, &e.Last.Reply.Text,
		&e.Accepted.Server, &e.Accepted.Host, &e.Accepted.Enhanced, &e.Accepted.Text, &e.Site}
}

func entryText(e *spool.HistoryEntry) []byte {
	t := storedEntry{HistoryEntry: *e}
	for i, s := range entryStrings(e) {
		if !utf8.ValidString(*s) {
			if t.Bytes == nil {
				t.Bytes = map[int][]byte{}
			}
			t.Bytes[i] = []byte(*s)
		}
	}
	text, _ := json.Marshal(t) // strings, numbers and times: that cannot fail
	return text
}

func parseEntry(text []byte) (spool.HistoryEntry, error) {
	var t storedEntry
	err := json.Unmarshal(text, &t)
	all := entryStrings(&t.HistoryEntry)
	for i, b := range t.Bytes {
		if i >= 0 && i < len(all) {
			*all[i] = string(b)
		}
	}
	return t.HistoryEntry, err
}

// storable is what a column of text can hold: no NUL, and valid UTF-8.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

const addHistorySQL = `select notices.add_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)::text`

// AddHistory adds entries, in one transaction. Of several of one name the last one counts.
func (s past) AddHistory(ctx context.Context, entries ...spool.HistoryEntry) error {
	if s.off || len(entries) == 0 {
		return nil
	}
	type name struct {
		id spool.ID
		n  int
	}
	latest := map[name]spool.HistoryEntry{}
	for i := range entries {
		latest[name{entries[i].ID, entries[i].Index}] = entries[i]
	}
	list := slices.SortedFunc(maps.Values(latest), func(a, b spool.HistoryEntry) int { return spool.CompareHistory(&a, &b) })
	return s.db.row(ctx, addHistorySQL, historyArgs(list), new(string))
}

// goneKept is how long it is known which import keys were here, in seconds.
const goneKept = 30 * 24 * 3600

// ForgetHistory drops what was written on days that had ended by then, and import keys of
// messages that left long ago: without a history, these are what tells that a message has left.
func (s past) ForgetHistory(ctx context.Context, before time.Time) error {
	day := before.UTC().Truncate(24 * time.Hour).Unix()
	return s.db.again(ctx, func(ctx context.Context) error {
		_, err := s.db.pool.Exec(ctx, `delete from notices.history where written < $1`, day)
		if err == nil {
			_, err = s.db.pool.Exec(ctx, `delete from notices.import_key where gone < extract(epoch from clock_timestamp())::bigint - $1`, int64(goneKept))
		}
		return err
	})
}

// HistoryError is nil: an entry is written with the removal of its message, or neither is.
func (s past) HistoryError() error { return nil }

// History searches page by page. The conditions leave out most of what q does not choose; q
// decides.
func (s past) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) (bad []spool.Anomaly, err error) {
	addresses, err := s.addressesWith(ctx, q.Recipient)
	if err != nil {
		return nil, err
	}
	where, args := conditions(&q, addresses)
	sql := fmt.Sprintf(`select queued, id, n, entry from notices.history where (queued, id, n) > ($%d, $%d, $%d) and %s order by queued, id, n limit %d`,
		len(args)+1, len(args)+2, len(args)+3, where, historyPage)
	last := historyRow{queued: -1 << 62}
	for {
		page, err := collect(ctx, s.db, toHistoryRow, sql, append(slices.Clip(args), last.queued, last.id, last.n)...)
		if err != nil {
			return bad, err
		}
		for i := range page {
			e, err := parseEntry(page[i].entry)
			if err != nil {
				bad = append(bad, spool.Anomaly{Name: fmt.Sprintf("history of %s, recipient %d", page[i].id, page[i].n), Why: err.Error()})
				continue
			}
			if q.Chooses(&e) && !yield(&e) {
				return bad, nil
			}
		}
		if len(page) < historyPage {
			return bad, nil
		}
		last = page[len(page)-1]
	}
}

const (
	historyPage   = 2000
	mostAddresses = 1000
)

// addressesWith are the recipients that have a part of an address in them, found by the index of
// recipients alone: rows are ten times as wide, and most recipients have many. nil: there are too
// many of them, or an address as a whole is wanted.
func (s past) addressesWith(ctx context.Context, part string) ([]string, error) {
	if part == "" || part == "<>" || strings.IndexByte(part, '@') > 0 {
		return nil, nil
	}
	const sql = `select distinct recipient from notices.history where strpos(recipient, $1) > 0 limit $2`
	list, err := collect(ctx, s.db, pgx.RowTo[string], sql, storable(strings.ToLower(part)), mostAddresses+1)
	if len(list) > mostAddresses || err != nil {
		return nil, err
	}
	return append([]string{}, list...), nil
}

type historyRow struct {
	queued int64
	id     string
	n      int32
	entry  []byte
}

func toHistoryRow(row pgx.CollectableRow) (r historyRow, err error) {
	return r, row.Scan(&r.queued, &r.id, &r.n, &r.entry)
}

// conditions are those of a query that the columns can tell. addresses: what addressesWith found.
func conditions(q *spool.HistoryQuery, addresses []string) (where string, args []any) {
	parts := []string{"true"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		parts = append(parts, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if len(q.IDs) > 0 {
		add("id = any(?)", texts(q.IDs))
	}
	address := func(column, want string) {
		want = storable(strings.ToLower(want))
		switch at := strings.IndexByte(want, '@'); {
		case want == "":
		case want == "<>":
			add(column+" = ?", "")
		case at > 0:
			add(column+" = ?", want)
		default:
			add("strpos("+column+", ?) > 0", want)
		}
	}
	if addresses != nil {
		add("recipient = any(?)", addresses)
	} else {
		address("recipient", q.Recipient)
	}
	address("sender", q.Sender)
	if q.Ref != "" {
		add("ref = ?", storable(q.Ref))
	}
	if q.Site != "" {
		add("site = ?", storable(q.Site))
	}
	if len(q.Endings) > 0 {
		add("ending = any(?)", texts(q.Endings))
	}
	if !q.Since.IsZero() {
		add("ended >= ?", q.Since.Unix())
	}
	if !q.Until.IsZero() {
		add("ended <= ?", q.Until.Unix())
	}
	if q.Keys != nil {
		keys := texts(slices.Collect(maps.Keys(q.Keys)))
		add("(id = any(?) or recipient = any(?) or message_id = any(?) or envelope_id = any(?))", keys)
	}
	return strings.Join(parts, " and "), args
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = storable(string(s))
	}
	return out
}
