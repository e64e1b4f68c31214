package importer

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

	"notices/cmd/internal/app"
	"notices/spool/intake"
	"notices/spool/intake/mbox"
)

// importFile is one file to read.
type importFile struct {
	path string // "-": standard input
	// one: it is one message; else it may be an mbox.
	one    bool
	size   int64
	pipe   bool     // or a device: even its opening may never end
	own    bool     // within our own spool, where others may have put it
	in     string   // the folder that was named, if it was one
	opened *os.File // by root, before it became the owner of the spool
}

// files finds what is to be read in all paths; what cannot be is named.
func (m *importing) files() []importFile {
	var all []importFile
	for _, path := range m.o.Paths {
		if path == "-" {
			all = append(all, importFile{path: path})
			continue
		}
		own := m.inSpool(path)
		look := os.Stat
		if own {
			look = os.Lstat
		}
		info, err := look(path)
		switch {
		case err != nil:
			m.refuse(importError{Path: path, Error: reason(err), code: app.ExitUnknown})
		case info.IsDir():
			for _, f := range m.folder(path, info) {
				f.in = path
				all = append(all, f)
			}
		case own && !info.Mode().IsRegular():
			m.refuse(importError{Path: path, Error: notRegular, code: app.ExitUnknown})
		default:
			all = append(all, importFile{path: path, own: own, one: own, size: info.Size(), pipe: !info.Mode().IsRegular()})
		}
	}
	return all
}

const notRegular = "is not a regular file; passed over"

// inSpool reports whether a file lies in a folder of our own spool.
func (m *importing) inSpool(path string) bool {
	spool, err := os.Stat(m.spool)
	if err != nil {
		return false
	}
	dir, err := filepath.Abs(path[:strings.LastIndexByte(path, '/')+1] + ".")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	for ; err == nil; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, spool) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
	return false
}

// open opens a regular file, and nothing else that was put in its place meanwhile: to open a
// pipe may never end.
func (f *importFile) open() (*os.File, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if f.own {
		flags |= unix.O_NOFOLLOW
	}
	return onlyRegular(os.OpenFile(f.path, flags, 0))
}

func onlyRegular(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, errors.Join(err, errors.New(notRegular))
	}
	return file, nil
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
		m.refuse(importError{Path: dir, Error: why, code: app.ExitUnknown})
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
	own := m.inSpool(dir + "/.")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() || !wanted(e.Name()) {
			continue
		}
		f := importFile{path: filepath.Join(dir, e.Name()), one: true, own: own}
		look := os.Stat
		if f.own {
			look = os.Lstat
		}
		switch info, err := look(f.path); {
		case err != nil: // opening it says the same
		case !info.Mode().IsRegular():
			m.refuse(importError{Path: f.path, Error: notRegular, code: app.ExitUnknown})
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
	file, err := m.source(ctx, &f)
	if err == nil {
		defer file.Close()
		err = m.check(ctx, f, file)
	}
	in := &importInput{m: m, ctx: ctx, Reader: file}
	if err == nil {
		err = m.read(ctx, f, in)
	}
	var refused mbox.Error
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return errStopped
	case errors.As(err, &refused): // the whole of it, or it was changed meanwhile
		m.refuse(importError{Path: f.path, Error: refused.Error(), code: app.ExitBadMessage})
		return nil
	case in.err != nil:
		err = &importTrouble{app.ExitIO, "reading it: " + reason(in.err)}
	}
	if trouble := (*importTrouble)(nil); errors.As(err, &trouble) {
		m.refuse(importError{Path: f.path, Error: trouble.text, code: trouble.code})
		return nil
	}
	return err
}

// importTrouble is with one file, and no reason to leave the others.
type importTrouble struct {
	code int
	text string
}

func (t *importTrouble) Error() string { return t.text }

// check reads an mbox to its end before anything of it is queued, and looks for messages of an
// mbox in what does not begin as one.
func (m *importing) check(ctx context.Context, f importFile, file *os.File) error {
	if f.one {
		return nil
	}
	in := &stoppedRead{ctx: ctx, Reader: file}
	beginning := make([]byte, 512)
	n, err := file.ReadAt(beginning, 0)
	switch {
	case err != nil && err != io.EOF:
	case mbox.Begins(beginning[:n]):
		err = mbox.Check(in, m.o.Separator)
	case strings.EqualFold(filepath.Ext(f.path), ".eml"):
		return nil
	default:
		err = mbox.CheckMessage(in)
	}
	if err == nil || err == io.EOF {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil || errors.As(err, new(mbox.Error)) || ctx.Err() != nil {
		return err
	}
	return &importTrouble{app.ExitIO, "reading it: " + reason(err)}
}

// read decides by the content whether it is an mbox.
func (m *importing) read(ctx context.Context, f importFile, in io.Reader) error {
	r := bufio.NewReaderSize(in, 1<<16)
	beginning, err := r.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case !f.one && mbox.Begins(beginning):
		return m.mbox(ctx, f.path, mbox.NewReader(r, m.o.Separator))
	case len(beginning) == 0 && !f.one && !strings.EqualFold(filepath.Ext(f.path), ".eml"):
		return &importTrouble{app.ExitUnknown, "has no message in it"}
	}
	return m.message(ctx, importError{Path: f.path}, r)
}

func (m *importing) mbox(ctx context.Context, path string, box *mbox.Reader) error {
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
	before, err := m.add(ctx, where, r)
	if refused := (*intake.Error)(nil); errors.As(err, &refused) {
		where.Error = inImport(refused.Msg)
		where.code = app.ExitCode(refused)
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

func (m *importing) add(ctx context.Context, where importError, r io.Reader) (before bool, err error) {
	if !m.o.DryRun {
		return m.bulk.Add(ctx, m.request(r))
	}
	env, before, err := m.bulk.Preview(ctx, m.request(r))
	if env != nil {
		m.would(where, env)
	}
	return before, err
}

// inImport takes out of what is wrong with a message the words that are for enqueue.
func inImport(wrong string) string {
	wrong = strings.TrimSuffix(wrong, "; nothing was queued")
	return strings.Replace(wrong, "name one as an argument, or in", "name one in", 1)
}

func (m *importing) request(r io.Reader) intake.Request {
	return intake.Request{Sender: m.o.Sender, Ref: m.o.Ref, Expires: m.o.Expires, Body: r}
}
