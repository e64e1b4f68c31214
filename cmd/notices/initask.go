package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"notices/cmd/internal/submit"
)

// errQuit: Ctrl-C, or the end of what is typed.
var errQuit = errors.New("stopped")

// prompter asks a person at a terminal. What it says goes to standard error like all
// that is said to a person, without "notices: " before each line.
type prompter struct {
	a   *app
	ctx context.Context
	fd  int // the terminal that is typed at
	in  *bufio.Reader
}

func (a *app) newPrompter(ctx context.Context) *prompter {
	fd, _ := submit.Terminal(a.Stdin)
	return &prompter{a: a, ctx: ctx, fd: fd, in: bufio.NewReader(a.Stdin)}
}

// say prints lines.
func (p *prompter) say(format string, args ...any) {
	p.a.dialogue(fmt.Sprintf(format, args...))
}

// prompt prints a question without an end of line.
func (p *prompter) prompt(text string) { fmt.Fprint(p.a.Stderr, submit.Printable(text)) }

func (p *prompter) newline() { fmt.Fprintln(p.a.Stderr) }

// wrapped prints a line in as many as the terminal needs, each further in than the
// first.
func (p *prompter) wrapped(line string) {
	if utf8.RuneCountInString(line) < width(p.a.Stderr) {
		p.say("%s", line)
		return
	}
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	for i, part := range wrap(text, max(width(p.a.Stderr)-indent-4, 20)) {
		if i == 1 {
			indent += 4
		}
		p.say("%*s%s", indent, "", part)
	}
}

// heading is a line that stands out.
func (p *prompter) heading(text string) {
	_, ok := submit.Terminal(p.a.Stderr)
	paint := painter{ok && p.a.Getenv("NO_COLOR") == "" && p.a.Getenv("TERM") != "dumb"}
	fmt.Fprintf(p.a.Stderr, "\n%s\n", paint.paint(bold, submit.Printable(text)))
}

// typed is what read gives, unless the person stops first: a read from a terminal
// cannot be interrupted, so it is left to itself.
func (p *prompter) typed(read func() (string, error)) (string, error) {
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
		p.newline()
		return "", errQuit
	case a := <-got:
		if errors.Is(a.err, io.EOF) && a.text == "" {
			p.newline()
			return "", errQuit
		}
		if errors.Is(a.err, io.EOF) {
			a.err = nil
		}
		return a.text, a.err
	}
}

// ask repeats a question until check is content. Enter alone means normal.
func (p *prompter) ask(question, normal string, check func(string) error) (string, error) {
	for {
		if normal != "" {
			p.prompt(question + " [" + normal + "]: ")
		} else {
			p.prompt(question + ": ")
		}
		text, err := p.typed(func() (string, error) { return p.in.ReadString('\n') })
		if err != nil {
			return "", err
		}
		if text = strings.TrimSpace(text); text == "" {
			text = normal
		}
		if err = check(text); err == nil {
			return text, nil
		}
		p.say("  It %s.", err)
	}
}

// secret asks for what is not shown.
func (p *prompter) secret(question string) (string, error) {
	state, err := term.GetState(p.fd)
	if err != nil {
		return "", err
	}
	p.prompt(question + ": ")
	text, err := p.typed(func() (string, error) {
		b, err := term.ReadPassword(p.fd)
		return string(b), err
	})
	if err != nil {
		return "", errors.Join(err, term.Restore(p.fd, state)) // it would stay dark
	}
	p.newline()
	return text, nil
}

// yes asks a question that has two answers.
func (p *prompter) yes(question string, normal bool) (bool, error) {
	word := "no"
	if normal {
		word = "yes"
	}
	answer, err := p.ask(question, word, func(s string) error {
		switch strings.ToLower(s) {
		case "yes", "y", "no", "n":
			return nil
		}
		return errors.New("must be yes or no")
	})
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

// choose has one of the options chosen by its number, and returns its index.
func (p *prompter) choose(question string, options []string, normal int) (int, error) {
	p.say("%s", question)
	for i, o := range options {
		p.say("  %d  %s", i+1, o)
	}
	answer, err := p.ask("Number", strconv.Itoa(normal+1), func(s string) error {
		if n, err := strconv.Atoi(s); err != nil || n < 1 || n > len(options) {
			return fmt.Errorf("must be a number from 1 to %d", len(options))
		}
		return nil
	})
	n, _ := strconv.Atoi(answer)
	return n - 1, err
}

// anything is a check that is always content; something wants more than nothing.
func anything(string) error { return nil }

func something(s string) error {
	if s == "" {
		return errors.New("is needed")
	}
	return nil
}

// programPath is how this program is called in a line for cron, whose PATH is short.
func programPath() string {
	path, err := os.Executable()
	if err != nil || strings.ContainsAny(path, " \t%") { // cron has its own idea of %
		return "notices"
	}
	return path
}
