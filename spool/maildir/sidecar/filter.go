package sidecar

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/lines"
)

// Filter looks at the bytes of sidecars for what a query asks, and parses none of them.
type Filter struct {
	needles [][]byte // in lower case; each is in the first line of what the query may choose
	ended   bool
}

// NewFilter makes the filter of a query. ended: the query asks only for recipients that do not wait any
// more.
func NewFilter(q *spool.HistoryQuery, ended bool) *Filter {
	f := &Filter{ended: ended}
	for _, address := range []string{q.Recipient, q.Sender} {
		at := strings.IndexByte(address, '@')
		if address != "" && address != "<>" {
			f.add(address, at > 0, at >= 0)
		}
	}
	for _, whole := range []string{q.Ref, q.Site} {
		if whole != "" {
			f.add(whole, true, true)
		}
	}
	return f
}

// add adds a needle: a text of the envelope, or its beginning, end or middle. One whose lower case, or
// whose form in JSON, need not be its octets is left out.
func (f *Filter) add(text string, begins, ends bool) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return
		}
	}
	needle := strings.ToLower(text)
	if begins {
		needle = `"` + needle
	}
	if ends {
		needle += `"`
	}
	f.needles = append(f.needles, []byte(needle))
}

// verdict is what the bytes of a sidecar tell.
type verdict int

const (
	unclear verdict = iota // the query may choose the message, or something is wrong with its sidecar
	other                  // it does not
	waits                  // it may, but all recipients wait, and it asks for others
)

// look looks at the beginning of a sidecar. whole: it is all of it. It changes p.
func (f *Filter) look(p []byte, whole bool) verdict {
	first, rest, _, ok := lines.Next(p, lines.Start)
	if !ok || bytes.IndexByte(first, '\\') >= 0 {
		return unclear // damaged, longer than what was read, or with letters that are written in another way
	}
	low := lower(first)
	for _, needle := range f.needles {
		if !bytes.Contains(low, needle) {
			return other
		}
	}
	if f.ended && whole && !bytes.Contains(rest, delivered) && !bytes.Contains(rest, failed) && !bytes.Contains(rest, gaveUp) && bytes.IndexByte(rest, '\\') < 0 {
		return waits
	}
	return unclear
}

// What the events of a message have in them in which a recipient has ended.
var (
	delivered = []byte(`"` + spool.Delivered + `"`)
	failed    = []byte(`"` + spool.Failed + `"`)
	gaveUp    = []byte(`"` + spool.GiveUp + `"`)
)

// lower is bytes.ToLower. It changes p if that is ASCII.
func lower(p []byte) []byte {
	for i, c := range p {
		switch {
		case c >= utf8.RuneSelf:
			return bytes.ToLower(p)
		case 'A' <= c && c <= 'Z':
			p[i] = c + 'a' - 'A'
		}
	}
	return p
}

// Select reads the sidecars of entries. read are the messages to be read as records: the query may choose
// them, or something is wrong with them. waiting are those that it would choose, too, if it did not ask
// for recipients that have ended.
func (f *Filter) Select(ctx context.Context, open func(spool.Entry) (fsys.File, error), entries []spool.Entry) (read []spool.Entry, waiting []spool.ID, err error) {
	if len(f.needles) == 0 && !f.ended {
		return entries, nil, nil
	}
	block := blocks.Get().(*[]byte)
	defer blocks.Put(block)
	for _, e := range entries {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		switch f.lookInto(open, e, *block) {
		case unclear:
			read = append(read, e)
		case waits:
			waiting = append(waiting, e.ID)
		}
	}
	return read, waiting, nil
}

func (f *Filter) lookInto(open func(spool.Entry) (fsys.File, error), e spool.Entry, block []byte) verdict {
	file, err := open(e)
	if err != nil {
		return unclear
	}
	defer file.Close()
	n, err := file.ReadOnce(block, 0)
	if err != nil {
		return unclear
	}
	return f.look(block[:n], n < len(block))
}
