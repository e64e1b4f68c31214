package rowtext

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"notices/spool"
)

// HistoryArgs are the arguments of notices.add_history, and the last ones of remove and fail.
func HistoryArgs(entries []spool.HistoryEntry) []any {
	n := len(entries)
	column := func(of func(*spool.HistoryEntry) string) []string {
		list := make([]string, n)
		for i := range entries {
			list[i] = Storable(of(&entries[i]))
		}
		return list
	}
	places, queued, ended, texts := make([]int32, n), make([]int64, n), make([]int64, n), make([][]byte, n)
	for i := range entries {
		e := &entries[i]
		places[i], queued[i], ended[i] = int32(e.Index), e.QueuedAt.Unix(), e.EndedAt.Unix()
		texts[i] = Entry(e)
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

// isPlain reports whether the name of a server, or its host, stands in the JSON of an entry as it is.
func isPlain(name string) bool {
	return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// Conditions returns the conditions of a query that the columns can answer, as SQL with its arguments.
// addresses, unless it is nil, are all recipients that the query's may mean.
func Conditions(q *spool.HistoryQuery, addresses []string) (where string, args []any) {
	parts := []string{"true"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		parts = append(parts, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if len(q.IDs) > 0 {
		add("id = any(?)", Texts(q.IDs))
	}
	address := func(column, want string) {
		want = Storable(strings.ToLower(want))
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
		add("ref = ? and ref <> ''", Storable(q.Ref))
	}
	if q.Site != "" {
		add("site = ? and site <> ''", Storable(q.Site))
	}
	if isPlain(q.Server) {
		add(`strpos(lower(encode(entry, 'escape') collate "C"), ?) > 0`, strings.ToLower(q.Server))
	}
	if len(q.Endings) > 0 {
		add("ending = any(?)", Texts(q.Endings))
		if !slices.Contains(q.Endings, spool.EndedDelivered) {
			parts = append(parts, "ending <> 'delivered'") // the condition of index history_failed
		}
	}
	if !q.Since.IsZero() {
		add("ended >= ?", q.Since.Unix())
	}
	if !q.Until.IsZero() {
		add("ended <= ?", q.Until.Unix())
	}
	if q.Keys != nil {
		keys := Texts(slices.Collect(maps.Keys(q.Keys)))
		add("(id = any(?) or recipient = any(?) or message_id = any(?) or envelope_id = any(?))", keys)
	}
	return strings.Join(parts, " and "), args
}

// Texts makes texts of names.
func Texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Storable(string(s))
	}
	return out
}
