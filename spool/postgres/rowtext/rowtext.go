// Package rowtext makes the texts that rows of the database hold: an entry of the history as JSON and as
// columns, the conditions by which a query chooses rows, and the words by which a message of the queue is
// found.
package rowtext

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"notices/spool"
)

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

// Entry is an entry of the history as the row has it.
func Entry(e *spool.HistoryEntry) []byte {
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

// ParseEntry reads what Entry wrote.
func ParseEntry(text []byte) (spool.HistoryEntry, error) {
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

// Storable is what a column of text can hold: no NUL, and valid UTF-8.
func Storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Search is the column by which a message is found: the sender, each recipient and the
// reference, a line each, addresses in lower case.
func Search(env *spool.Envelope) string {
	var b strings.Builder
	b.WriteString("\n" + strings.ToLower(env.Sender) + "\n")
	for _, r := range env.Recipients {
		b.WriteString(strings.ToLower(r) + "\n")
	}
	b.WriteString(env.Ref + "\n")
	return Storable(b.String())
}

// Needles lists texts, each of which is part of the Search of every message that the query may
// choose.
func Needles(q *spool.HistoryQuery) (list []string) {
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
		list = append(list, Storable(want))
	}
	if q.Ref != "" {
		list = append(list, Storable("\n"+q.Ref+"\n"))
	}
	return list
}
