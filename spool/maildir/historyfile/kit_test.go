package historyfile

import (
	"context"

	"golang.org/x/sys/unix"

	"notices/spool/internal/fsys"
)

// timeless is the context of searches that are not cut short.
type timeless struct{ context.Context }

func (timeless) Err() error { return nil }

// watched remembers which files were opened.
type watched struct {
	fsys.FS
	opened map[string]bool
}

func (w watched) Open(name string, flags int, perm uint32) (fsys.File, error) {
	w.opened[name] = true
	return w.FS.Open(name, flags, perm)
}

// counted counts the files that are open.
type counted struct {
	fsys.FS
	open, most *int
}

func (c counted) Open(name string, flags int, perm uint32) (fsys.File, error) {
	f, err := c.FS.Open(name, flags, perm)
	if err == nil && flags&unix.O_CREAT == 0 {
		*c.open++
		*c.most = max(*c.most, *c.open)
		f = countedFile{f, c.open}
	}
	return f, err
}

type countedFile struct {
	fsys.File
	open *int
}

func (f countedFile) Close() error {
	*f.open--
	return f.File.Close()
}
