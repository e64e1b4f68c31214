package maillog

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
)

// open opens a log with a fixed clock, and returns what is printed.
func open(t *testing.T, to string, verbose bool) (*Log, *bytes.Buffer) {
	t.Helper()
	var printed bytes.Buffer
	l, err := Options{To: to, Verbose: verbose, Stderr: &printed, Now: func() time.Time { return at }}.Open()
	if err != nil {
		t.Fatal(err)
	}
	return l, &printed
}

const (
	released = "released id=" + string(id) + "\n"
	gaveUp   = "gave-up id=" + string(id) + " why=x\n"
	stamp    = "2026-03-02T09:15:07Z "
)

func TestStandardErrorIsSilentWhileAllIsWell(t *testing.T) {
	for verbose, want := range map[bool]string{false: gaveUp, true: released + gaveUp} {
		l, printed := open(t, "stderr", verbose)
		l.Released(id)
		l.GaveUp(id, "x")
		if printed.String() != want {
			t.Errorf("verbose %v: %q", verbose, printed)
		}
	}
}

// A file gets every event, at its end and with the time. Warnings are printed too.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.log")
	for range 2 {
		l, printed := open(t, path, false)
		l.Released(id)
		l.GaveUp(id, "x")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if printed.String() != gaveUp {
			t.Errorf("printed %q", printed)
		}
		l.Released(id) // after Close: nothing
	}
	got, err := os.ReadFile(path)
	if want := strings.Repeat(stamp+released+stamp+gaveUp, 2); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Lines of several processes and goroutines stay whole.
func TestLinesDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.log")
	var wg sync.WaitGroup
	for range 4 {
		l, _ := open(t, path, false)
		defer l.Close()
		for range 4 {
			wg.Go(func() {
				for range 50 {
					l.Queued(env)
				}
			})
		}
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(got), "\n")
	for _, l := range lines[:len(lines)-1] {
		if l != lines[0] {
			t.Fatalf("%q", l)
		}
	}
	if len(lines) != 801 {
		t.Errorf("%d lines", len(lines)-1)
	}
}

// If a log cannot be opened, there is an error and a log to standard error.
func TestNoSuchFolder(t *testing.T) {
	var printed bytes.Buffer
	path := filepath.Join(t.TempDir(), "none", "notices.log")
	l, err := Options{To: path, Stderr: &printed}.Open()
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "open log "+path) {
		t.Error(err)
	}
	l.GaveUp(id, "x")
	if printed.String() != gaveUp {
		t.Errorf("%q", &printed)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWriteErrorsWaitForClose(t *testing.T) {
	l := New(full{}, All)
	l.Released(id)
	l.Released(id)
	if err := l.Close(); err == nil || err.Error() != "no space left on device" {
		t.Error(err)
	}
}

// Events allocate nothing once the line has its capacity.
func TestNoAllocations(t *testing.T) {
	l := &Log{now: func() time.Time { return at }, outs: []output{plain(io.Discard, Warnings)}}
	all := &Log{now: func() time.Time { return at }, outs: []output{plain(io.Discard, All)}}
	answer := spool.Answer{Outcome: taken, To: []int{0, 1}}
	for name, write := range map[string]func(*Log){
		"outcome": func(l *Log) { logOne(l, id, 1, "ada@example.net", taken, next) },
		"answer":  func(l *Log) { l.Answer(env, 1, answer, next) },
		"queued":  func(l *Log) { l.Queued(env) },
	} {
		for _, log := range []*Log{nil, l, all} {
			if n := testing.AllocsPerRun(100, func() { write(log) }); n > 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	}
}

func BenchmarkOutcome(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for name, w := range map[string]io.Writer{"file": f, "discard": io.Discard} {
		b.Run(name, func(b *testing.B) {
			l := New(w, All)
			b.ReportAllocs()
			for b.Loop() {
				logOne(l, id, 1, "ada@example.net", taken, next)
			}
		})
	}
}

// /dev/null means no log, without an error.
func TestDevNull(t *testing.T) {
	var printed bytes.Buffer
	l, err := Options{To: os.DevNull, Stderr: &printed}.Open()
	if err != nil {
		t.Fatal(err)
	}
	l.Released(id)
	if err := l.Close(); err != nil || printed.Len() > 0 {
		t.Errorf("%v, %q", err, &printed)
	}
}
