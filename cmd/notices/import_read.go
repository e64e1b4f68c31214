package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/submit"
	"notices/spool/intake"
)

// importFile is one file to read.
type importFile struct {
	path string // "-": standard input
	// one: it is one message; else it may be an mbox.
	one  bool
	size int64
	pipe bool // or a device: even its opening may never end
}

// files finds what is to be read in all paths; what cannot be is named.
func (m *importing) files() []importFile {
	var all []importFile
	for _, path := range m.o.Paths {
		if path == "-" {
			all = append(all, importFile{path: path})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			m.refuse(importError{Path: path, Error: reason(err), code: submit.ExitUnknown})
		case info.IsDir():
			all = append(all, m.folder(path, info)...)
		default:
			all = append(all, importFile{path: path, size: info.Size(), pipe: !info.Mode().IsRegular()})
		}
	}
	return all
}

// reason is an error without the path and the system call in it.
func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// folder lists a Maildir's messages, or the .eml files in a folder, not in those
// below it.
func (m *importing) folder(dir string, info fs.FileInfo) []importFile {
	bad := func(why string) []importFile {
		m.refuse(importError{Path: dir, Error: why, code: submit.ExitUnknown})
		return nil
	}
	if own, err := os.Stat(m.spool); err == nil && os.SameFile(own, info) {
		return bad("this is the spool itself: what is in there is queued")
	}
	var files []importFile
	maildir := false
	for _, sub := range []string{filepath.Join(dir, "new"), filepath.Join(dir, "cur")} {
		entries, err := os.ReadDir(sub)
		switch {
		case err == nil:
			maildir = true
			files = append(files, m.pick(sub, entries, m.isMaildirMessage)...)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			return bad(filepath.Base(sub) + ": " + reason(err))
		}
	}
	if maildir {
		return files
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return bad(reason(err))
	}
	files = m.pick(dir, entries, func(name string) bool { return strings.EqualFold(filepath.Ext(name), ".eml") })
	if len(files) == 0 && len(entries) > 0 {
		return bad("no file in this folder ends in .eml, and it is no Maildir, which has folders new and cur")
	}
	return files
}

// pick takes the files whose names are wanted, sorted as they are.
func (m *importing) pick(dir string, entries []fs.DirEntry, wanted func(name string) bool) []importFile {
	var files []importFile
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() || !wanted(e.Name()) {
			continue
		}
		f := importFile{path: filepath.Join(dir, e.Name()), one: true}
		switch info, err := os.Stat(f.path); {
		case err != nil: // opening it says the same
		case !info.Mode().IsRegular():
			m.refuse(importError{Path: f.path, Error: "is no file", code: submit.ExitUnknown})
			continue
		default:
			f.size = info.Size()
		}
		files = append(files, f)
	}
	return files
}

// isMaildirMessage passes over what its owner has marked as draft or as deleted.
func (m *importing) isMaildirMessage(name string) bool {
	_, flags, _ := strings.Cut(name, ":2,")
	if strings.ContainsAny(flags, "DT") {
		m.tally.Marked++
		return false
	}
	return true
}

// file queues the messages of a file. It returns an error only if that ends the run.
func (m *importing) file(ctx context.Context, f importFile) error {
	in := &importInput{m: m}
	switch {
	case f.path == "-":
		f.path, in.Reader = "standard input", &stoppable{ctx: ctx, src: m.a.Stdin}
	case f.pipe:
		in.Reader = &stoppable{ctx: ctx, src: &late{path: f.path}}
	default:
		file, err := os.Open(f.path)
		if err != nil {
			m.refuse(importError{Path: f.path, Error: reason(err), code: submit.ExitUnknown})
			return nil
		}
		defer file.Close()
		in.Reader = file
	}
	err := m.read(ctx, f, in)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return errStopped
	case in.err != nil:
		m.refuse(importError{Path: f.path, Error: "reading it: " + reason(in.err), code: submit.ExitIO})
		return nil
	}
	return err
}

// read decides by the content whether it is an mbox.
func (m *importing) read(ctx context.Context, f importFile, in io.Reader) error {
	r := bufio.NewReaderSize(in, 1<<16)
	beginning, err := r.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case !f.one && intake.IsMbox(beginning):
		return m.mbox(ctx, f.path, intake.NewMbox(r))
	case len(beginning) == 0 && !f.one && !strings.EqualFold(filepath.Ext(f.path), ".eml"):
		return nil // an mbox without messages
	}
	return m.message(ctx, importError{Path: f.path}, r)
}

func (m *importing) mbox(ctx context.Context, path string, box *intake.Mbox) error {
	for {
		r, err := box.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.message(ctx, importError{Path: path, Message: box.Number(), Line: box.Line()}, r); err != nil {
			return err
		}
	}
}

// message prepares one message, and queues those prepared if it is time. where says
// which it is.
func (m *importing) message(ctx context.Context, where importError, r io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before, err := m.bulk.Add(ctx, m.request(r))
	if refused := (*intake.Error)(nil); errors.As(err, &refused) {
		where.Error = inImport(refused.Msg)
		where.code = exitCode(refused)
		m.tally.Messages++
		m.tally.Refused++
		m.refuse(where)
		return nil
	}
	if err != nil {
		return err
	}
	m.tally.Messages++
	if before {
		m.tally.Before++
	}
	m.bar.show()
	if m.bulk.Full() {
		return m.commit(ctx)
	}
	return nil
}

// inImport takes out of what is wrong with a message the words that are for enqueue.
func inImport(wrong string) string {
	wrong = strings.TrimSuffix(wrong, "; nothing was queued")
	return strings.Replace(wrong, "name one as an argument, or in", "name one in", 1)
}

func (m *importing) request(r io.Reader) intake.Request {
	return intake.Request{Sender: m.o.Sender, Ref: m.o.Ref, Expires: m.o.Expires, Body: r}
}

// importInput is a file; it tells its own trouble from that of the spool, and how much
// of it was read.
type importInput struct {
	io.Reader
	m   *importing
	err error
}

func (in *importInput) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.m.bar.done += int64(n)
	if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) {
		in.err = err
	}
	return n, err
}

// late is a pipe that is opened when it is first read: that waits for a writer. It is
// closed by the end of the process.
type late struct {
	path string
	file *os.File
}

func (l *late) Read(p []byte) (n int, err error) {
	if l.file == nil {
		if l.file, err = os.Open(l.path); err != nil {
			return 0, err
		}
	}
	return l.file.Read(p)
}

// stoppable reads from what may never answer, a terminal or a pipe.
type stoppable struct {
	ctx   context.Context
	src   io.Reader
	buf   []byte // read and not yet taken
	err   error
	ready chan struct{} // a Read of src is under way
}

func (s *stoppable) Read(p []byte) (int, error) {
	if len(s.buf) == 0 && s.err == nil {
		if s.ready == nil {
			s.start()
		}
		select {
		case <-s.ready:
			s.ready = nil
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	n := copy(p, s.buf)
	if s.buf = s.buf[n:]; n > 0 {
		return n, nil
	}
	return 0, s.err
}

func (s *stoppable) start() {
	ready := make(chan struct{})
	s.ready = ready
	go func() {
		buf := make([]byte, 1<<16)
		n, err := s.src.Read(buf)
		s.buf, s.err = buf[:n], err
		close(ready)
	}()
}
