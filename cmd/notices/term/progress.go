package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"notices/cmd/internal/app"
	"notices/spool/printable"
)

// Progress is a line on a terminal that says how far a long command is. On anything else it
// prints nothing. It is drawn as messages are done, and once a second while it waits, so that
// a wait does not look like a standstill. Until it is cleared, standard error goes through
// it: other text takes the place of the line.
type Progress struct {
	On  bool                            // standard error is a terminal
	Why func(idle time.Duration) string // what it waits for, if that is known; may be nil

	program *app.Program
	stderr  io.Writer // the terminal
	begin   sync.Once
	quit    chan struct{}

	mu    sync.Mutex // guards what follows, and the terminal
	line  line
	drawn bool
	over  bool
	last  time.Time // when it was drawn
	moved time.Time // when a message was done
}

// line is the content of a progress line.
type line struct {
	done, total  int // messages; total 0: not known yet
	octets, size int // of an import, which does not know how many messages there are
	began, now   time.Time
	note         string
}

// NewProgress takes the place of standard error until the line is cleared.
func NewProgress(program *app.Program) *Progress {
	_, terminal := app.Terminal(program.Stderr)
	now := time.Now()
	// With -v each message has a line of its own, and the two would mix.
	p := &Progress{program: program, stderr: program.Stderr, On: terminal && !program.Verbose, quit: make(chan struct{})}
	p.line.began, p.moved = now, now
	if p.On {
		program.Stderr = p
	}
	return p
}

// Start draws the line from now on, once a second at least.
func (p *Progress) Start() {
	if p.On {
		p.begin.Do(func() { go p.tick() })
	}
}

// interval is the shortest time between two drawings.
const interval = 100 * time.Millisecond

// Show draws the line anew, if it is time.
func (p *Progress) Show(done, total int) {
	if p.On {
		p.Start()
		p.update(line{done: done, total: total})
	}
}

// ShowOctets is Show for a known number of octets and an unknown number of messages; size 0:
// the number of octets is not known either.
func (p *Progress) ShowOctets(done int, octets, size int64) {
	if p.On {
		p.update(line{done: done, octets: int(octets), size: int(size)})
	}
}

func (p *Progress) update(l line) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l.began, l.note = p.line.began, p.line.note
	p.line, p.moved = l, now
	if now.Sub(p.last) >= interval {
		p.draw(now)
	}
}

func (p *Progress) tick() {
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

// reason asks why without the lock: the answer may be read from files.
func (p *Progress) reason(now time.Time) string {
	if p.Why == nil {
		return ""
	}
	p.mu.Lock()
	idle := now.Sub(p.moved)
	p.mu.Unlock()
	return p.Why(idle)
}

// spare is how many columns stay free on the right, for the cursor and for ^C.
const spare = 4

// draw and erase are called with the lock held.
func (p *Progress) draw(now time.Time) {
	if p.over {
		return
	}
	p.line.now, p.last, p.drawn = now, now, true
	fmt.Fprint(p.stderr, "\r\x1b[K"+Cut(p.line.String(), Width(p.stderr)-spare))
}

func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.stderr, "\r\x1b[K")
		p.drawn = false
	}
}

// Hide takes the line away until it is shown again: standard output may be the same
// terminal.
func (p *Progress) Hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Clear takes the line away for good.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if p.On && !p.over {
		p.over, p.program.Stderr = true, p.stderr
		close(p.quit)
	}
}

// Write is standard error beside the line.
func (p *Progress) Write(b []byte) (int, error) {
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

// String is `[#####     ] 50 of 100, 25 a second, 2s left; server 1 is down`, or of an
// import `[#####     ] 50%, 6,012 messages, 4,310 a second`.
func (l *line) String() string {
	s := "sending"
	spent := l.now.Sub(l.began)
	switch {
	case l.total > 0:
		s = fmt.Sprintf("%s %d of %d", bar(l.done, l.total), l.done, l.total)
	case l.size > 0:
		octets := min(l.octets, l.size) // files grow
		s = fmt.Sprintf("%s %d%%, %s", bar(octets, l.size), 100*octets/l.size, printable.Count(l.done, "message"))
	case l.done > 0:
		s = printable.Count(l.done, "message")
	}
	if spent > time.Second && l.done > 0 {
		s += ", " + pace(l.done, spent)
		if left := l.total - l.done; left > 0 {
			s += ", " + Span(spent/time.Duration(l.done)*time.Duration(left)) + " left"
		}
	}
	if l.note != "" {
		s += "; " + l.note
	}
	return s
}

func bar(done, total int) string {
	const marks = 20
	filled := min(marks*done/total, marks)
	return "[" + strings.Repeat("#", filled) + strings.Repeat(" ", marks-filled) + "]"
}

// pace is how fast it goes, in a unit that gives a number to read.
func pace(done int, spent time.Duration) string {
	if each := float64(done) / spent.Seconds(); each >= 1 {
		return printable.Number(int(each+0.5)) + " a second"
	}
	return fmt.Sprintf("%.0f a minute", max(float64(done)/spent.Minutes(), 1))
}
