package maillog

import (
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Level says which events are written.
type Level int

// Levels.
const (
	// Trouble is what a person should see: cron mails whatever is printed, so that
	// must be nothing while all is well. A deferral is not trouble, a server that is
	// paused is.
	Warnings Level = iota
	// All is every event.
	All
)

// Log writes events. It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	outs  []output
	now   func() time.Time
	buf   []byte          // the line that is being made
	event int             // where in buf it begins, after the time
	level Level           // of the event that is being written
	err   error           // the first that a write gave
	said  map[string]bool // by TroubleOnce
	tell  func(Notice)
}

// output is one place that lines go to.
type output struct {
	level Level
	timed bool
	write func(level Level, line []byte) error // the line ends in \n
	close func() error
}

// New returns a log that writes to w, one Write a line, without the time.
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
	// Tell is handed what a person should hear of, and says it in sentences; then standard
	// error gets lines only if Verbose. It is called by many goroutines. nil: standard
	// error gets the lines of level Trouble.
	Tell func(Notice)
}

// Open opens the log. A file or syslog gets every event. A person is told of Trouble
// all the same, by Tell, since cron's mail may be all that anybody reads; standard error
// gets every event if Verbose. With the error, the file that could not be opened, comes a
// working log to standard error: mail goes on without it.
func (o Options) Open() (*Log, error) {
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	level := Warnings
	if o.Verbose {
		level = All
	}
	l := &Log{now: o.Now, tell: o.Tell}
	if o.Tell == nil || o.Verbose {
		l.outs = []output{plain(o.Stderr, level)}
	}
	switch o.To {
	case "stderr", "", os.DevNull:
		return l, nil
	case "syslog":
		l.outs = append(l.outs, toSyslog(func() (syslogger, error) { return dialSyslog("", "") }))
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

// openFile opens a log file for appending: with O_APPEND, and one write a line,
// lines of several processes do not mix. Patrons' addresses are in it: a new one is
// for its owner alone. It is not handed to the network poller, which a regular file
// does not go with and which an enqueue would have to set up for it alone.
func openFile(name string) (*os.File, error) {
	flags := syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	if os.Geteuid() == 0 {
		flags |= syscall.O_NOFOLLOW // the folder may be another user's, and so a link in it
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
		case errors.Is(err, syscall.ENXIO): // a FIFO that nobody reads, a socket
			err = errNotRegular
		case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK):
			err = fmt.Errorf("it is a link, which root does not follow: %w", err)
		}
		return nil, &os.PathError{Op: "open log", Path: name, Err: err}
	}
}

var errNotRegular = errors.New("it is no regular file (a pipe or a device cannot hold a log)")

// regular closes what is not a regular file. A write to it might wait for ever.
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

// syslogger is the part of *syslog.Writer that is used.
type syslogger interface {
	Info(string) error
	Warning(string) error
	Close() error
}

func dialSyslog(network, address string) (syslogger, error) {
	return syslog.Dial(network, address, syslog.LOG_MAIL|syslog.LOG_INFO, "notices")
}

// toSyslog connects at the first event. One that finds no syslog is the last to look.
func toSyslog(dial func() (syslogger, error)) output {
	var w syslogger
	var failed error
	return output{
		level: All,
		write: func(level Level, line []byte) (err error) {
			if w == nil && failed == nil {
				w, failed = dial()
			}
			switch message := string(line[:len(line)-1]); {
			case failed != nil:
				return failed
			case level == Warnings:
				return w.Warning(message)
			default:
				return w.Info(message)
			}
		},
		close: func() error {
			if w == nil || failed != nil {
				return nil
			}
			return w.Close()
		},
	}
}

// Close lets go of the file or syslog, and returns the first error that a write or
// closing gave.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, out := range l.outs {
		if out.close != nil {
			l.keep(out.close())
		}
	}
	l.outs = nil
	return l.err
}

func (l *Log) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

// begin starts a line and takes the lock, unless nobody wants events of this level.
func (l *Log) begin(level Level, event string) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	wanted := false
	for i := range l.outs {
		wanted = wanted || level <= l.outs[i].level
	}
	if !wanted {
		l.mu.Unlock()
		return false
	}
	l.level, l.buf = level, l.buf[:0]
	if l.now != nil {
		l.buf = l.now().UTC().AppendFormat(l.buf, time.RFC3339)
		l.buf = append(l.buf, ' ')
	}
	l.event = len(l.buf)
	l.buf = append(l.buf, event...)
	return true
}

// end writes the line and gives the lock back.
func (l *Log) end() {
	l.buf = append(l.buf, '\n')
	for i := range l.outs {
		out := &l.outs[i]
		switch {
		case l.level > out.level:
		case out.timed:
			l.keep(out.write(l.level, l.buf))
		default:
			l.keep(out.write(l.level, l.buf[l.event:]))
		}
	}
	if cap(l.buf) > 64<<10 { // one message to very many is no reason to keep as much
		l.buf = nil
	}
	l.mu.Unlock()
}
