package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"notices/cmd/internal/app"
	"notices/spool/printable"
)

// errQuit: Ctrl-C, or the end of what is typed.
var errQuit = errors.New("stopped")

// prompter asks a person at a terminal. What it says goes to standard error like all
// that is said to a person, without "notices: " before each line.
type prompter struct {
	a   *cli
	ctx context.Context
	fd  int // the terminal that is typed at
	in  *bufio.Reader
}

func (a *cli) newPrompter(ctx context.Context) *prompter {
	fd, _ := app.Terminal(a.Stdin)
	return &prompter{a: a, ctx: ctx, fd: fd, in: bufio.NewReader(a.Stdin)}
}

// say prints lines.
func (p *prompter) say(format string, args ...any) {
	p.a.dialogue(fmt.Sprintf(format, args...))
}

// prompt prints a question without an end of line. It may have several lines.
func (p *prompter) prompt(text string) {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		p.say("%s", text[:i])
		text = text[i+1:]
	}
	fmt.Fprint(p.a.Stderr, printable.Text(text))
}

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
	_, ok := app.Terminal(p.a.Stderr)
	paint := painter{ok && p.a.Getenv("NO_COLOR") == "" && p.a.Getenv("TERM") != "dumb"}
	fmt.Fprintf(p.a.Stderr, "\n%s\n", paint.paint(bold, printable.Text(text)))
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

// secret asks for what is not shown. The terminal is dark before the question stands
// there: who types at once must not be shown either.
func (p *prompter) secret(question string) (string, error) {
	state, err := term.GetState(p.fd)
	if err == nil {
		err = darken(p.fd)
	}
	if err != nil {
		return "", err
	}
	p.prompt(question + ": ")
	text, err := p.typed(func() (string, error) {
		b, err := term.ReadPassword(p.fd)
		return string(b), err
	})
	err = errors.Join(err, term.Restore(p.fd, state))
	if err != nil {
		return "", err
	}
	p.newline()
	return text, nil
}

// darken has a terminal show nothing of what is typed; all else stays as it is.
func darken(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, t)
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

// programPath is how this program was called, with its whole path: the PATH of cron is
// short. What runs is perhaps the second half of the one that was called.
func programPath() string {
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err == nil {
		return called
	}
	self, err := os.Executable()
	if err != nil {
		return "notices"
	}
	if dir := filepath.Dir(self); filepath.Base(dir) == "whole" && exists(filepath.Join(filepath.Dir(dir), "notices")) {
		return filepath.Join(filepath.Dir(dir), "notices")
	}
	return self
}

// quoted is a word as the shell wants it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
