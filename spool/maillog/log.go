// Package maillog is the log: one method an event, one line an event. Nothing else can be
// written into it, so that notices-log(5) can list every possible line.
//
// A line is the event's word and key=value pairs (logfmt). A value is quoted if it is empty
// or has a space, a quote, an equals sign or anything unprintable. Within quotes, \n, \t,
// \", \\, \u0000 and \xff stand for what must not appear literally. So whatever a server, a
// message or a file name contains, it cannot end its line or forge a field. In a file, each
// line begins with the time in UTC (RFC 3339); syslog and journald add a time themselves.
//
// The lines are not made by log/slog's text handler. It cannot write a word without a key,
// leaves letters of other scripts unquoted and writes control characters in another way, so
// that every line that notices-log(5) promises would change. Also, the small binary, which
// links this package, would have to link all of slog.
//
// A nil *Log writes nothing. An error of the log itself never stops mail; Close returns it.
package maillog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Level says which events are written.
type Level int

// Levels.
const (
	// Warnings are events that a person should see. Cron mails whatever is printed, so
	// there must be none while all is well: a paused server is one, a deferral is not.
	Warnings Level = iota
	// All is every event.
	All
)

// Log writes events. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	outs   []output
	now    func() time.Time
	line   line
	event  int      // where the event begins in line, after the time
	level  Level    // of the event that is being written
	err    error    // the first error of a write
	logged sync.Map // by TroubleOnce: what was logged
	tell   func(Notice)
}

// output is one destination of lines.
type output struct {
	level Level
	timed bool
	write func(level Level, line []byte) error // the line ends in \n
	close func() error
}

// New returns a log that writes to w, with one Write per line, without the time.
func New(w io.Writer, level Level) *Log {
	return &Log{outs: []output{plain(w, level)}}
}

func plain(w io.Writer, level Level) output {
	return output{level: level, write: func(_ Level, line []byte) error {
		_, err := w.Write(line)
		return err
	}}
}

// Options are the settings of a log.
type Options struct {
	To      string           // [log] to: "stderr", "syslog" or a file; /dev/null: no log
	Verbose bool             // -v: standard error gets every event
	Stderr  io.Writer        // nil: os.Stderr
	Now     func() time.Time // nil: time.Now
	// Tell gets the events that a person should see, to put them into sentences. It is called
	// by many goroutines. With it, standard error gets lines only if Verbose; without it,
	// standard error gets the lines of level Warnings.
	Tell func(Notice)
}

// Open opens the log. A file or syslog gets every event, and standard error if Verbose.
// Tell gets the warnings in any case, because cron's mail may be all that anybody reads. If
// the file cannot be opened, Open returns the error and a log that works without it.
func (o Options) Open() (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	level := Warnings
	if o.Verbose {
		level = All
	}
	l := &Log{now: o.Now, tell: o.Tell}
	if o.Tell == nil || o.Verbose {
		l.outs = []output{plain(cmp.Or[io.Writer](o.Stderr, os.Stderr), level)}
	}
	switch o.To {
	case "stderr", "", os.DevNull:
		return l, nil
	case "syslog":
		l.outs = append(l.outs, (&syslogger{sockets: syslogSockets(), now: o.Now}).output())
		return l, nil
	}
	f, err := openFile(o.To)
	if err != nil {
		return l, err
	}
	out := plain(f, All)
	out.timed, out.close = true, f.Close
	l.outs = append(l.outs, out)
	return l, nil
}

// openFile opens a log file for appending. With O_APPEND and one write per line, lines of
// several processes do not mix. A new file is readable by its owner only, because patrons'
// addresses are in it. It does not go through the network poller, which cannot handle
// regular files and which an enqueue would have to set up for the log alone.
func openFile(name string) (*os.File, error) {
	flags := syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	if os.Geteuid() == 0 {
		flags |= syscall.O_NOFOLLOW // another user may own the folder, and put a link there
	}
	for {
		fd, err := syscall.Open(name, flags, 0o600)
		if err == nil {
			err = regular(fd)
		}
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), name), nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.ENXIO): // a FIFO without a reader, or a socket
			err = errNotRegular
		case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK):
			err = fmt.Errorf("it is a link, which root does not follow: %w", err)
		}
		return nil, &os.PathError{Op: "open log", Path: name, Err: err}
	}
}

var errNotRegular = errors.New("it is not a regular file (a pipe or a device cannot hold a log)")

// regular closes fd unless it is a regular file. A write to another one might block for ever.
func regular(fd int) error {
	var st syscall.Stat_t
	err := syscall.Fstat(fd, &st)
	if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		err = errNotRegular
	}
	if err != nil {
		syscall.Close(fd)
	}
	return err
}

// Close closes the file or syslog. It returns the first error of writing or closing.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, out := range l.outs {
		if out.close != nil {
			l.err = cmp.Or(l.err, out.close())
		}
	}
	l.outs = nil
	return l.err
}

// begin starts a line and takes the lock. It returns nil if no output wants events of this
// level.
func begin(l *Log, level Level, event string) *line {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !slices.ContainsFunc(l.outs, func(out output) bool { return level <= out.level }) {
		l.mu.Unlock()
		return nil
	}
	l.level, l.line = level, l.line[:0]
	if l.now != nil {
		l.line = l.now().UTC().AppendFormat(l.line, time.RFC3339)
		l.line = append(l.line, ' ')
	}
	l.event = len(l.line)
	l.line = append(l.line, event...)
	return &l.line
}

// end writes the line and releases the lock.
func end(l *Log) {
	l.line = append(l.line, '\n')
	for i := range l.outs {
		out := &l.outs[i]
		text := l.line
		if !out.timed {
			text = text[l.event:]
		}
		if l.level <= out.level {
			l.err = cmp.Or(l.err, out.write(l.level, text))
		}
	}
	if cap(l.line) > 64<<10 { // after a message to very many recipients
		l.line = nil
	}
	l.mu.Unlock()
}

// write writes an event of pairs of key and value. A key that ends in ? is left out if its
// value is empty.
func write(l *Log, level Level, event string, pairs ...string) {
	b := begin(l, level, event)
	if b == nil {
		return
	}
	for i := 0; i < len(pairs); i += 2 {
		if key, optional := strings.CutSuffix(pairs[i], "?"); optional {
			b.textIf(key, pairs[i+1])
		} else {
			b.text(key, pairs[i+1])
		}
	}
	end(l)
}
