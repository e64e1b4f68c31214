package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"notices/cmd/internal/app"
	"notices/spool/printable"
)

// ErrStopped says that the person ended the dialogue, by Ctrl-C or Ctrl-D.
var ErrStopped = errors.New("stopped")

// Prompter asks a person at a terminal. It writes to standard error, without "notices: "
// before each line.
type Prompter struct {
	Err error // why nothing is asked any more

	p   *app.Program
	ctx context.Context
	fd  int // the terminal that is typed at
	in  *bufio.Reader
}

// NewPrompter asks at the program's standard input. When ctx ends, so does the question.
func NewPrompter(ctx context.Context, program *app.Program) *Prompter {
	fd, _ := app.Terminal(program.Stdin)
	return &Prompter{p: program, ctx: ctx, fd: fd, in: bufio.NewReader(program.Stdin)}
}

// Say prints lines.
func (p *Prompter) Say(format string, args ...any) {
	SayLines(p.p.Stderr, fmt.Sprintf(format, args...))
}

// prompt prints a question without an end of line. It may have several lines.
func (p *Prompter) prompt(text string) {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		p.Say("%s", text[:i])
		text = text[i+1:]
	}
	fmt.Fprint(p.p.Stderr, printable.Text(text))
}

// Newline ends a line.
func (p *Prompter) Newline() { fmt.Fprintln(p.p.Stderr) }

// SayWrapped wraps a line to the terminal, with further lines indented.
func (p *Prompter) SayWrapped(line string) {
	if utf8.RuneCountInString(line) < Width(p.p.Stderr) {
		p.Say("%s", line)
		return
	}
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	for i, part := range Wrap(text, max(Width(p.p.Stderr)-indent-4, 20)) {
		if i == 1 {
			indent += 4
		}
		p.Say("%*s%s", indent, "", part)
	}
}

// SayBelow prints text behind a beginning, with the lines that do not fit below it.
func (p *Prompter) SayBelow(beginning, text string) {
	for _, line := range hang(beginning, text, Width(p.p.Stderr)-1) {
		p.Say("%s", line)
	}
}

// Heading prints a line that stands out.
func (p *Prompter) Heading(text string) {
	fmt.Fprintf(p.p.Stderr, "\n%s\n", NewPainter(p.p.Stderr, p.p.Getenv).Paint(Bold, printable.Text(text)))
}

// typed returns what read returns, unless the person stops the program first. A read from a
// terminal cannot be interrupted, so it is left running.
func (p *Prompter) typed(read func() (string, error)) string {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case <-p.ctx.Done():
	case a := <-got:
		if a.err == nil || errors.Is(a.err, io.EOF) && a.text != "" {
			return a.text
		}
		if !errors.Is(a.err, io.EOF) {
			p.Err = a.err
			return ""
		}
	}
	p.Newline()
	p.Err = ErrStopped
	return ""
}

// Ask repeats a question until check accepts the answer; nil accepts any. Enter alone means
// normal. After an error, which is in Err, nothing more is asked.
func (p *Prompter) Ask(question, normal string, check func(string) error) string {
	if normal != "" {
		question += " [" + normal + "]"
	}
	for p.Err == nil {
		p.prompt(question + ": ")
		text := strings.TrimSpace(p.typed(func() (string, error) { return p.in.ReadString('\n') }))
		if p.Err != nil {
			break
		}
		if text == "" {
			text = normal
		}
		if check == nil {
			return text
		}
		err := check(text)
		if err == nil {
			return text
		}
		p.Say("  It %s.", err)
	}
	return normal
}

// Secret asks for an answer that is not shown. Echo is off before the question is printed:
// a person may type at once.
func (p *Prompter) Secret(question string) string {
	if p.Err != nil {
		return ""
	}
	state, err := term.GetState(p.fd)
	if err == nil {
		err = darken(p.fd)
	}
	if p.Err = err; err != nil {
		return ""
	}
	p.prompt(question + ": ")
	text := p.typed(func() (string, error) {
		b, err := term.ReadPassword(p.fd)
		return string(b), err
	})
	if p.Err = errors.Join(p.Err, term.Restore(p.fd, state)); p.Err != nil {
		return ""
	}
	p.Newline()
	return text
}

// darken turns a terminal's echo off and changes nothing else.
func darken(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, t)
}

// Yes asks a question that has two answers.
func (p *Prompter) Yes(question string, normal bool) bool {
	word := "no"
	if normal {
		word = "yes"
	}
	answer := p.Ask(question, word, func(s string) error {
		switch strings.ToLower(s) {
		case "yes", "y", "no", "n":
			return nil
		}
		return errors.New("must be yes or no")
	})
	return strings.HasPrefix(strings.ToLower(answer), "y")
}

// Choose asks for one of the options by its number, and returns its index.
func (p *Prompter) Choose(question string, options []string, normal int) int {
	if p.Err != nil {
		return normal
	}
	p.Say("%s", question)
	for i, o := range options {
		p.Say("  %d  %s", i+1, o)
	}
	answer := p.Ask("Number", strconv.Itoa(normal+1), func(s string) error {
		if n, err := strconv.Atoi(s); err != nil || n < 1 || n > len(options) {
			return fmt.Errorf("must be a number from 1 to %d", len(options))
		}
		return nil
	})
	n, _ := strconv.Atoi(answer)
	return n - 1
}
