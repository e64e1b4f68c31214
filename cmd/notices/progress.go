package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/route"
)

// progress is one line on a terminal that says how far a long command is. On anything
// else it says nothing. It is drawn as messages are done, and once a second while none
// is, so that a wait does not look like a standstill. Until it is cleared, what is said
// on standard error goes through it, to take the line's place and not stand behind it.
type progress struct {
	a      *cli
	stderr io.Writer                       // the terminal
	on     bool                            // it is one
	why    func(idle time.Duration) string // what it waits for, if that is known; may be nil
	begin  sync.Once
	quit   chan struct{}

	mu    sync.Mutex // guards what follows, and the terminal
	line  line
	drawn bool
	over  bool
	last  time.Time // when it was drawn
	moved time.Time // when a message was done
}

// line is what a progress line tells.
type line struct {
	done, total int // total 0: not known yet
	began, now  time.Time
	note        string
}

func (a *cli) newProgress() *progress {
	_, terminal := app.Terminal(a.Stderr)
	now := time.Now()
	// With -v each message has a line of its own: they would mix.
	p := &progress{a: a, stderr: a.Stderr, on: terminal && !a.Verbose, quit: make(chan struct{})}
	p.line.began, p.moved = now, now
	if p.on {
		a.Stderr = p
	}
	return p
}

// start has the line drawn from now on, once a second at least.
func (p *progress) start() {
	if p.on {
		p.begin.Do(func() { go p.tick() })
	}
}

// everySoOften keeps the terminal from being most of the work.
const everySoOften = 100 * time.Millisecond

// show draws the line anew, if it is time.
func (p *progress) show(done, total int) {
	if !p.on {
		return
	}
	p.start()
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.done, p.line.total, p.moved = done, total, now
	if now.Sub(p.last) >= everySoOften {
		p.draw(now)
	}
}

func (p *progress) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-p.quit:
			return
		case now := <-t.C:
			note := p.reason(now)
			p.mu.Lock()
			p.line.note = note
			p.draw(now)
			p.mu.Unlock()
		}
	}
}

// reason asks why outside of the lock: it may read files.
func (p *progress) reason(now time.Time) string {
	if p.why == nil {
		return ""
	}
	p.mu.Lock()
	idle := now.Sub(p.moved)
	p.mu.Unlock()
	return p.why(idle)
}

// spare is left free on the right: for the cursor, and for ^C.
const spare = 4

// draw and erase are called with the lock held.
func (p *progress) draw(now time.Time) {
	if p.over {
		return
	}
	p.line.now, p.last, p.drawn = now, now, true
	fmt.Fprint(p.stderr, "\r\x1b[K"+cut(p.line.String(), width(p.stderr)-spare))
}

func (p *progress) erase() {
	if p.drawn {
		fmt.Fprint(p.stderr, "\r\x1b[K")
		p.drawn = false
	}
}

// clear takes the line away for good.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if p.on && !p.over {
		p.over, p.a.Stderr = true, p.stderr
		close(p.quit)
	}
}

// Write is standard error beside the line.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	drawn := p.drawn
	p.erase()
	n, err := p.stderr.Write(b)
	if drawn {
		p.draw(time.Now())
	}
	return n, err
}

// String is `[#####     ] 50 of 100, 25 a second, 2s left; server 1 is down`.
func (l *line) String() string {
	if l.total == 0 {
		return strings.TrimSuffix("sending; "+l.note, "; ")
	}
	const marks = 20
	filled := min(marks*l.done/l.total, marks)
	s := fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", filled), strings.Repeat(" ", marks-filled), l.done, l.total)
	if spent := l.now.Sub(l.began); spent > time.Second && l.done > 0 {
		s += ", " + pace(l.done, spent)
		if left := l.total - l.done; left > 0 {
			s += ", " + span(spent/time.Duration(l.done)*time.Duration(left)) + " left"
		}
	}
	if l.note != "" {
		s += "; " + l.note
	}
	return s
}

// pace is how fast it goes, in a unit that gives a number to read.
func pace(done int, spent time.Duration) string {
	if each := float64(done) / spent.Seconds(); each >= 1 {
		return fmt.Sprintf("%.0f a second", each)
	}
	return fmt.Sprintf("%.0f a minute", max(float64(done)/spent.Minutes(), 1))
}

// waiting tells what a flush waits for: that it was told to stop, servers that are left
// alone, and when nothing has moved for a while what that may be. Troubles from before
// since do not count.
func waiting(ctx context.Context, state spool.State, servers []route.Server, since time.Time, now func() time.Time) func(time.Duration) string {
	return func(idle time.Duration) string {
		if ctx.Err() != nil {
			return "stopping: what is on its way is finished"
		}
		var notes []string
		if idle > 2*time.Second {
			notes = append(notes, slow(servers, idle))
		}
		for _, name := range alone(ctx, state, servers, since, now()) {
			notes = append(notes, fmt.Sprintf("server %s is down", name))
		}
		return strings.Join(notes, "; ")
	}
}

// alone are the servers that are left alone after trouble.
func alone(ctx context.Context, state spool.State, servers []route.Server, since, now time.Time) []string {
	var names []string
	for i := range servers {
		h, err := spool.LoadState[spool.Health](ctx, state, spool.HealthName+servers[i].Name)
		if err == nil && h.DownUntil.After(now) && !h.Last.Reply.At.Before(since) {
			names = append(names, servers[i].Name)
		}
	}
	return names
}

// slow is why nothing moves. Which server is asked is not known here; a limit that it
// may wait for is.
func slow(servers []route.Server, idle time.Duration) string {
	for i := range servers {
		if n := servers[i].RatePerMinute; n > 0 {
			return fmt.Sprintf("waits %s (rate_per_minute = %d)", span(idle), n)
		}
	}
	return fmt.Sprintf("waits %s for an answer", span(idle))
}
