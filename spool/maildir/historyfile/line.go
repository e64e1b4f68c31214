package historyfile

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/maildir/lines"
)

// The cells of a line behind its checksum, in order. What never changes of an entry and what
// a search needs of every line comes first.
const (
	cellQueuedAt     = iota // when the message was queued
	cellID                  // of the message
	cellIndex               // of the recipient in the envelope, from 0
	cellEnding              // spool.Ending
	cellEndedAt             // when it ended
	cellAttempts            // how many attempts were made
	cellRecipient           // as the envelope has it
	cellSender              // empty: the null sender
	cellRef                 // of enqueue --ref
	cellMessageID           // with < >
	cellEnvelopeID          // ENVID
	cellForm                // spool.Form
	cellClass               // spool.Class; this and the rest are of the last outcome
	cellScope               // spool.Scope
	cellReason              // spool.Reason
	cellServer              // "1", "2", "google"
	cellHost                // the server's name
	cellCode                // of the reply; 0: no server said it
	cellEnhanced            // enhanced status code
	cellRepliedAt           // when that was
	cellText                // of the reply
	cellLowRecipient        // in lower case, if that differs
	cellLowSender           // in lower case, if that differs
	cellAccepted            // of what bounced: the reply of the server that had accepted it; see appendReply
	cellSite                // of a service
	cellCount
)

// maxText is how many octets of a text are kept, so that a line fits into a block (search.go)
// even if each octet is escaped. Nothing that intake accepts or a server says is as long.
const maxText = 8 << 10

// appendLine appends a newline and the line of an entry.
func appendLine(b []byte, e *spool.HistoryEntry) []byte {
	b = append(b, '\n')
	start := len(b)
	b = append(b, "0123456789abcdef "...)
	b = appendTime(b, e.QueuedAt)
	b = appendText(b, string(e.ID))
	b = appendNumber(b, e.Index)
	b = appendText(b, string(e.Ending))
	b = appendTime(append(b, '\t'), e.EndedAt)
	b = appendNumber(b, e.Attempts)
	reply := &e.Last.Reply
	for _, s := range [...]string{
		e.Recipient, e.Sender, e.Ref, e.MessageID, e.EnvelopeID, string(e.Form),
		string(e.Last.Class), string(e.Last.Scope), string(e.Last.Reason), reply.Server, reply.Host,
	} {
		b = appendText(b, s)
	}
	b = appendText(appendNumber(b, reply.Code), reply.Enhanced)
	b = appendText(appendTime(append(b, '\t'), reply.At), reply.Text)
	b = appendLower(appendLower(b, e.Recipient), e.Sender)
	b = appendReply(append(b, '\t'), &e.Accepted)
	b = appendText(b, e.Site)
	lines.WriteSum(b[start:], lines.Start)
	return b
}

// maxReplyText is how many octets are kept of each text of a reply in one cell.
const maxReplyText = 500

// appendReply appends a whole reply as one cell: what would be cells for the time, the code, the
// server, its host, the enhanced status code and the text, escaped once more. A cell without
// anything is no reply.
func appendReply(b []byte, r *spool.Reply) []byte {
	if *r == (spool.Reply{}) {
		return b
	}
	reply := appendNumber(appendTime(nil, r.At), r.Code)
	for _, s := range [...]string{r.Server, r.Host, r.Enhanced, r.Text} {
		reply = appendText(reply, s[:min(len(s), maxReplyText)])
	}
	return appendEscaped(b, string(reply))
}

// appendTime appends a time of fixed width. The cell is empty for the zero time and for a year
// that does not have four digits, which no clock shows.
func appendTime(b []byte, t time.Time) []byte {
	if t = t.UTC(); t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return b
	}
	return t.AppendFormat(b, time.RFC3339)
}

func appendNumber(b []byte, n int) []byte { return strconv.AppendInt(append(b, '\t'), int64(n), 10) }

func appendText(b []byte, s string) []byte { return appendEscaped(append(b, '\t'), s) }

func appendLower(b []byte, s string) []byte {
	if low := strings.ToLower(s); low != s {
		return appendText(b, low)
	}
	return append(b, '\t')
}

// appendEscaped appends what a cell has of a text. What is escaped of a part of a text is a part
// of what is escaped of the text, so that it can be searched for.
func appendEscaped(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	if isPlain(s) {
		return append(b, s...)
	}
	quoted := strconv.Quote(s)
	return append(b, strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)...)
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b []byte
	for s != "" {
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return "", false
		}
		if multibyte {
			b = append(b, string(r)...)
		} else {
			b = append(b, byte(r))
		}
		s = tail
	}
	return string(b), true
}

// cells are those of one line, as they stand there.
type cells struct {
	of  [cellCount][]byte
	bad bool // a cell could not be read
}

// split cuts a line into its cells; false: it has too few. Lines were once written without
// the last two.
func (c *cells) split(text []byte) bool {
	c.of[cellAccepted], c.of[cellSite] = nil, nil
	for i := range c.of {
		cell, rest, more := bytes.Cut(text, []byte("\t"))
		if c.of[i] = cell; !more {
			return i >= cellLowSender
		}
		text = rest
	}
	return true
}

func (c *cells) text(i int) string {
	s, ok := unescape(string(c.of[i]))
	c.bad = c.bad || !ok
	return s
}

func (c *cells) number(i int) int {
	n, err := strconv.Atoi(string(c.of[i]))
	c.bad = c.bad || err != nil
	return n
}

func (c *cells) time(i int) (t time.Time) {
	if len(c.of[i]) > 0 && t.UnmarshalText(c.of[i]) != nil {
		c.bad = true
	}
	return t.UTC()
}

// reply reads what appendReply wrote.
func (c *cells) reply(i int) (r spool.Reply) {
	if len(c.of[i]) == 0 {
		return r
	}
	var in cells
	in.split([]byte(c.text(i)))
	r = spool.Reply{At: in.time(0), Code: in.number(1), Server: in.text(2), Host: in.text(3), Enhanced: in.text(4), Text: in.text(5)}
	c.bad = c.bad || in.bad || r.Code < 0
	return r
}

// name is a hash of what names the entry: its id and index, which stand side by side.
func (c *cells) name() uint64 {
	return uint64(lines.Start.Over(c.of[cellID]).Over([]byte("\t")).Over(c.of[cellIndex]))
}

// mayHave reports whether one of the keys is in a cell for them, or may be there, escaped.
func (c *cells) mayHave(keys map[string]struct{}) bool {
	for _, i := range [...]int{cellID, cellMessageID, cellEnvelopeID, cellRecipient, cellLowRecipient} {
		if _, ok := keys[string(c.of[i])]; ok || bytes.IndexByte(c.of[i], '\\') >= 0 {
			return true
		}
	}
	return false
}

// valid reports whether entry can read all cells.
func (c *cells) valid() bool {
	c.bad = !spool.ID(c.of[cellID]).Valid() || len(c.of[cellQueuedAt]) == 0
	for i, cell := range c.of {
		switch i {
		case cellQueuedAt, cellEndedAt, cellRepliedAt:
			c.time(i)
		case cellIndex, cellAttempts, cellCode:
			c.bad = c.number(i) < 0 || c.bad
		case cellAccepted:
			c.reply(i)
		default:
			if bytes.IndexByte(cell, '\\') >= 0 {
				c.text(i)
			}
		}
	}
	return !c.bad
}

// entry is what the cells say. They are valid.
func (c *cells) entry() spool.HistoryEntry {
	return spool.HistoryEntry{
		ID: spool.ID(c.text(cellID)), Index: c.number(cellIndex), QueuedAt: c.time(cellQueuedAt), EndedAt: c.time(cellEndedAt),
		Sender: c.text(cellSender), Recipient: c.text(cellRecipient), Ref: c.text(cellRef), MessageID: c.text(cellMessageID),
		EnvelopeID: c.text(cellEnvelopeID), Form: spool.Form(c.text(cellForm)), Attempts: c.number(cellAttempts),
		Ending: spool.Ending(c.text(cellEnding)),
		Last: spool.Outcome{
			Class: spool.Class(c.text(cellClass)), Scope: spool.Scope(c.text(cellScope)), Reason: spool.Reason(c.text(cellReason)),
			Reply: spool.Reply{
				Server: c.text(cellServer), Host: c.text(cellHost), Code: c.number(cellCode), Enhanced: c.text(cellEnhanced),
				Text: c.text(cellText), At: c.time(cellRepliedAt),
			},
		},
		Accepted: c.reply(cellAccepted), Site: c.text(cellSite),
	}
}
