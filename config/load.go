package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"notices/config/document"
)

// Need says what of a config a command cannot do without.
type Need int

// Needs.
const (
	Everything Need = iota // check
	// Intake is for what takes mail in or looks at the spool: [site] [spool] [retry].
	// Anything wrong elsewhere must not keep a message from being queued.
	Intake
	// Queue is for commands that show the queue or change messages in it: only [spool] dir,
	// which is read even from a file that is not TOML elsewhere.
	Queue
	// Sending is for flush and test-server: all but [bounces].
	Sending
	// Returns is for read-bounces with a mailbox: what Intake covers, [bounces], and the
	// accounts whose sign-in it may use.
	Returns
	// Serving is for serve: what Intake covers, and [serve], which has to be set. What is wrong
	// elsewhere must not keep the sites' mail from being taken in.
	Serving
)

// MaxFile is the longest config that is read, in octets.
const MaxFile = 128 << 10

// Load reads a config of which everything must be right. The error is Problems,
// or a single *Error when the file cannot be read or is not TOML.
func Load(path string) (*Config, error) { return LoadFor(path, Everything) }

// LoadFor reads a config and refuses only the problems that need covers. All problems are
// in Config.Problems all the same. A file that is not TOML is refused for every need but
// Queue: nobody can say what it means.
func LoadFor(path string, need Need) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(path, data, mode, need)
	if e := (*Error)(nil); need == Queue && errors.As(err, &e) {
		c, err = spoolAlone(path, data, mode, e)
	}
	if err == nil {
		err = c.Problems.filter(need.covers)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// covers reports whether a command with that need refuses a config for a problem.
func (n Need) covers(e *Error) bool {
	switch n {
	case Intake:
		return slices.ContainsFunc(sections(), func(s section) bool { return s.name == e.section() && s.intake })
	case Queue: // what leaves open where the spool is
		return e.section() == "spool" && (e.place.Key == "dir" || strings.HasPrefix(e.place.Key, "database") || !slices.Contains(namesOf(spoolKeys[:])(), e.place.Key))
	case Sending:
		return e.section() != "bounces"
	case Returns:
		return Intake.covers(e) || slices.Contains([]string{"bounces", AuthGoogle, AuthMicrosoft, "service"}, e.section())
	case Serving:
		return Intake.covers(e) || e.section() == "serve"
	}
	return true
}

// spoolAlone reads the section [spool] of a file that is not TOML, as why says. If that
// section cannot be read either, the error is why.
func spoolAlone(path string, data []byte, mode fs.FileMode, why *Error) (*Config, error) {
	var part []byte
	within := false
	for line := range bytes.Lines(data) {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] == '[' {
			within = bytes.HasPrefix(text, []byte("[spool]"))
		}
		if within {
			part = append(part, line...)
		}
	}
	if part == nil && bytes.Contains(data, []byte("spool")) {
		return nil, why // it is there in some other form
	}
	c, err := parse(path, part, mode, Queue)
	if err != nil || c.Problems.filter(Queue.covers) != nil {
		return nil, why
	}
	c.Problems = Problems{why}
	return c, nil
}

// readFile reads the whole file, and its mode.
func readFile(path string) ([]byte, fs.FileMode, error) {
	f, err := open(path)
	var info fs.FileInfo
	if err == nil {
		defer f.Close()
		info, err = f.Stat()
	}
	if err != nil {
		return nil, 0, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, 0, &Error{File: path, Msg: "is a folder, not a config file"}
	}
	b := bytes.NewBuffer(make([]byte, 0, min(info.Size(), MaxFile)+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(f, MaxFile+1)); err != nil {
		return nil, 0, unreadable(path, err)
	}
	if b.Len() > MaxFile {
		return nil, 0, &Error{File: path, Msg: fmt.Sprintf("is longer than %d KiB: is it a config file?", MaxFile>>10)}
	}
	return b.Bytes(), info.Mode(), nil
}

// open is os.Open without the network poller, which does not work for regular files
// anyway: a process that opens no other file by os.Open need not set the poller up.
func open(path string) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if err != syscall.EINTR {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// unreadable makes an *Error, without the path that *fs.PathError would repeat.
func unreadable(path string, err error) *Error {
	e := &Error{File: path, Msg: "cannot be read: " + reason(err), Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Msg = "does not exist; to write one, run: notices init"
	}
	return e
}

// reason is the system's message without operation and path.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// syntaxError is the *Error of a file that is not TOML.
func syntaxError(path string, err error) error {
	d := new(document.Error)
	errors.As(err, &d) // it is always one
	e := &Error{File: path, Line: d.Line, Key: d.Key, Msg: d.Msg}
	if _, key, _ := strings.Cut(d.Before, "."); slices.Contains(Keys(), d.Before) {
		e.Key = key
	}
	return e
}

// parse makes a Config of a file's content. The error is one of syntax; all other problems
// are in Problems.
func parse(path string, data []byte, mode fs.FileMode, need Need) (*Config, error) {
	doc, err := document.Parse(data)
	if err != nil {
		return nil, syntaxError(path, err)
	}
	l := &loader{cfg: withDefaults(path), need: need, mode: mode}
	l.read(doc)
	l.checkWritable()
	if need != Intake && need != Queue {
		l.checkFiles()
	}
	if len(l.cfg.Problems) > 0 {
		l.cfg.Problems.locate(data)
	}
	return l.cfg, nil
}
