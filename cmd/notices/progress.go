package main

import (
	"fmt"
	"strings"
	"time"
)

// progress is one line on a terminal that says how far a flush is. On anything
// else it says nothing.
type progress struct {
	a     *app
	on    bool
	began time.Time
	last  time.Time
	shown bool
}

func (a *app) newProgress() *progress {
	_, terminal := terminal(a.stderr)
	// With -v each message has a line of its own: they would mix.
	return &progress{a: a, on: terminal && !a.verbose, began: time.Now()}
}

// everySoOften keeps the terminal from being most of the work.
const everySoOften = 100 * time.Millisecond

// show draws the line anew. It is not called twice at once.
func (p *progress) show(done, total int) {
	now := time.Now()
	if !p.on || now.Sub(p.last) < everySoOften {
		return
	}
	const marks = 30
	filled := 0
	if total > 0 {
		filled = marks * done / total
	}
	line := fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", filled), strings.Repeat(" ", marks-filled), done, total)
	if spent := now.Sub(p.began).Seconds(); spent > 1 {
		line += fmt.Sprintf(", %.0f a second", float64(done)/spent)
	}
	fmt.Fprint(p.a.stderr, "\r\x1b[K"+cut(line, width(p.a.stderr)-1))
	p.last, p.shown = now, true
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
	}
}
