package importer

import (
	"fmt"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
)

// importBar is one line on a terminal that says how far an import is, by octets: how
// many messages there are shows only at the end. On anything else it says nothing.
type importBar struct {
	m           *importing
	on          bool
	total, done int64 // octets; total 0: not known
	began, last time.Time
	shown       bool
}

func (m *importing) newBar(files []importFile) *importBar {
	_, terminal := app.Terminal(m.p.Stderr)
	b := &importBar{m: m, on: terminal && !m.p.Verbose, began: time.Now()}
	for _, f := range files {
		if f.size == 0 && !f.one { // standard input, a pipe
			b.total = 0
			break
		}
		b.total += f.size
	}
	return b
}

// show draws the line anew, if it is time.
func (b *importBar) show() {
	if !b.on {
		return
	}
	now := time.Now()
	if now.Sub(b.last) < 100*time.Millisecond {
		return
	}
	fmt.Fprint(b.m.p.Stderr, "\r\x1b[K"+term.Cut(b.line(now.Sub(b.began)), term.Width(b.m.p.Stderr)-1))
	b.last, b.shown = now, true
}

// line is `[######    ] 60%, 6,012 messages, 4,310 a second`.
func (b *importBar) line(spent time.Duration) string {
	const marks = 30
	s := messages(b.m.tally.Messages)
	if b.total > 0 {
		done := min(b.done, b.total) // files grow
		filled := int(marks * done / b.total)
		s = fmt.Sprintf("[%s%s] %d%%, %s", strings.Repeat("#", filled), strings.Repeat(" ", marks-filled), 100*done/b.total, s)
	}
	if spent > time.Second {
		s += fmt.Sprintf(", %s a second", term.Grouped(int(float64(b.m.tally.Messages)/spent.Seconds())))
	}
	return s
}

// clear takes the line away.
func (b *importBar) clear() {
	if b.shown {
		fmt.Fprint(b.m.p.Stderr, "\r\x1b[K")
		b.shown = false
	}
}
