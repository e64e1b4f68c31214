package status

import (
	"cmp"
	"io"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/metrics"
	"notices/cmd/notices/term"
	"notices/spool/printable"
)

// buffered is the mail that this host took in while the database could not be reached.
type buffered struct {
	Dir            string     `json:"dir"`
	Messages       int        `json:"messages"` // counted among the queued ones, too
	OldestQueuedAt *time.Time `json:"oldest_queued_at"`
}

func (c *collector) buffer() {
	c.s.bufferTrouble, _, _ = strings.Cut(c.o.BufferTrouble, "\n")
	if w := c.o.Buffered; w != nil {
		c.s.Buffer = &buffered{Dir: w.Dir, Messages: w.Messages, OldestQueuedAt: term.Stamp(w.Oldest)}
	}
}

// buffer checks that the mail in the folder is moved, as each flush of this host does.
func (c *verdict) buffer() {
	if c.s.bufferTrouble != "" {
		c.note(Warning, "%s", c.s.bufferTrouble)
	}
	b := c.s.Buffer
	if b == nil || b.Messages == 0 {
		return
	}
	const format = "%s in %s, taken in while the database could not be reached, the oldest for %s; the next notices flush of this host moves them"
	args := []any{waits(b.Messages), b.Dir, term.Span(c.s.since(b.OldestQueuedAt))}
	before := len(c.Reasons)
	if c.age(c.s.since(b.OldestQueuedAt), format, args...); len(c.Reasons) == before {
		c.remark(format, args...)
	}
}

func (t *statusText) buffer() {
	b := t.s.Buffer
	switch {
	case b == nil:
	case b.Messages == 0:
		t.row("Beside database", "", "nothing waits in %s", b.Dir)
	default:
		t.row("Beside database", term.Yellow, "%s in %s, the oldest for %s", printable.Count(b.Messages, "message"), b.Dir, term.Span(t.s.since(b.OldestQueuedAt)))
	}
}

// PrintBuffered shows how much mail waits in the folder, if one is set: all that can be shown while the
// database cannot be reached.
func PrintBuffered(p *app.Program, o Options) error {
	if o.Buffered == nil {
		return nil
	}
	c := &collector{o: o, s: &snapshot{now: p.Now()}}
	c.buffer()
	t := &statusText{term.NewPage(p), c.s}
	t.Width = cmp.Or(t.Width, 80)
	t.Title(term.Yellow, "The database cannot be reached")
	t.buffer()
	_, err := io.WriteString(p.Stdout, t.Text())
	return err
}

func (m *exporter) buffer(s *snapshot) {
	if s.Buffer == nil {
		return
	}
	m.Gauge("notices_buffer_messages", "Messages in the folder beside the database, taken in while that could not be reached.", metrics.Value(s.Buffer.Messages))
	m.Gauge("notices_buffer_oldest_seconds", "How long the oldest of them has waited; 0 if none waits.", metrics.Seconds(s.since(s.Buffer.OldestQueuedAt)))
}
