package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/config"
)

// file is one file to read.
type file struct {
	path   string   // "-": standard input
	single bool     // it is one message; else it may be an mbox
	size   int64    // octets
	pipe   bool     // or a device: even its opening may never end
	own    bool     // within our own spool, where others may have put it
	in     string   // the folder that was named, if it was one
	opened *os.File // by root, before it became the owner of the spool
}

const notRegular = "is not a regular file; skipped"

// open opens a regular file only: opening a pipe that was put in its place meanwhile might
// never return.
func (f *file) open() (*os.File, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if f.own {
		flags |= unix.O_NOFOLLOW
	}
	return onlyRegular(os.OpenFile(f.path, flags, 0))
}

func onlyRegular(opened *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if info, err := opened.Stat(); err != nil || !info.Mode().IsRegular() {
		opened.Close()
		return nil, errors.Join(err, errors.New(notRegular))
	}
	return opened, nil
}

// reason is an error without the path and the system call in it.
func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// search finds the files to read, and refuses those that cannot be read.
type search struct {
	spool   string // our own
	results *results
}

func (s *search) refuse(path, why string) {
	s.results.refuse(refusal{Path: path, Error: why, code: app.ExitUnknown})
}

// files finds the files in all paths.
func (s *search) files(paths []string) []file {
	var all []file
	for _, path := range paths {
		if path == "-" {
			all = append(all, file{path: path})
			continue
		}
		own := s.inSpool(path)
		info, err := stat(path, own)
		switch {
		case err != nil:
			s.refuse(path, reason(err))
		case info.IsDir():
			found, err := s.folder(path, info)
			if err != nil {
				s.refuse(path, err.Error())
			}
			for _, f := range found {
				f.in = path
				all = append(all, f)
			}
		case own && !info.Mode().IsRegular():
			s.refuse(path, notRegular)
		default:
			all = append(all, file{path: path, own: own, single: own, size: info.Size(), pipe: !info.Mode().IsRegular()})
		}
	}
	return all
}

// stat follows a link only outside of our own spool.
func stat(path string, own bool) (fs.FileInfo, error) {
	if own {
		return os.Lstat(path)
	}
	return os.Stat(path)
}

// inSpool reports whether a file lies in a folder of our own spool.
func (s *search) inSpool(path string) bool {
	spool, err := os.Stat(s.spool)
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

// folder lists a Maildir's messages, or the .eml files in a folder, without subfolders.
func (s *search) folder(dir string, info fs.FileInfo) ([]file, error) {
	if own, err := os.Stat(s.spool); err == nil && os.SameFile(own, info) {
		return nil, errors.New("this is the spool itself: what is in there is queued")
	}
	var files []file
	maildir := false
	for _, name := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		switch {
		case err == nil:
			maildir = true
			files = append(files, s.pick(filepath.Join(dir, name), entries, s.isMaildirMessage)...)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			return nil, errors.New(name + ": " + reason(err))
		}
	}
	if maildir {
		return files, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.New(reason(err))
	}
	files = s.pick(dir, entries, isEML)
	if len(files) == 0 && len(entries) > 0 {
		return nil, errors.New("no file in this folder ends in .eml, and it is not a Maildir, which has folders new and cur")
	}
	return files, nil
}

// pick takes the files whose names are wanted, sorted as they are.
func (s *search) pick(dir string, entries []fs.DirEntry, wanted func(name string) bool) []file {
	var files []file
	own := s.inSpool(dir + "/.")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() || !wanted(e.Name()) {
			continue
		}
		f := file{path: filepath.Join(dir, e.Name()), single: true, own: own}
		switch info, err := stat(f.path, own); {
		case err != nil: // opening it says the same
		case !info.Mode().IsRegular():
			s.refuse(f.path, notRegular)
			continue
		default:
			f.size = info.Size()
		}
		files = append(files, f)
	}
	return files
}

// isMaildirMessage skips what its owner has marked as draft or as deleted.
func (s *search) isMaildirMessage(name string) bool {
	_, flags, _ := strings.Cut(name, ":2,")
	if strings.ContainsAny(flags, "DT") {
		s.results.tally.Marked++
		return false
	}
	return true
}

// asRoot opens all files with root's rights, then becomes the owner of the spool, who perhaps
// may not read them. A file that the owner could exchange for a link is left for the owner to
// open, and in a folder no link leads out of it. done: the process was root's.
func (s *search) asRoot(p *app.Program, cfg *config.Config, paths []string) (files []file, done bool, err error) {
	owner, err := p.SpoolOwner(cfg)
	if err != nil || owner == nil {
		return nil, false, err
	}
	files = s.files(paths)
	if err := moreFiles(len(files)); err != nil {
		return nil, false, app.Fail(app.ExitPermission, "%d files are too many to be opened by root at once (%w): name fewer, or make them readable for the user of the spool and run this as that user", len(files), err)
	}
	for i := range files {
		if f := &files[i]; f.path != "-" && !f.own && !owner.Controls(f.path) {
			// On an error the owner tries again, and then the file is refused.
			f.opened, _ = f.openAsRoot()
		}
	}
	return files, true, p.BecomeOwner(cfg)
}

func (f *file) openAsRoot() (*os.File, error) {
	switch {
	case f.pipe:
		fd, err := unix.Open(f.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), f.path), nil
	case f.in == "":
		return f.open()
	}
	folder, err := os.OpenRoot(f.in)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	name, err := filepath.Rel(f.in, f.path)
	if err != nil {
		return nil, err
	}
	return onlyRegular(folder.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
}

// moreFiles raises the limit of open files.
func moreFiles(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	const beside = 1000 // what the run itself has open
	allowed := limit.Cur
	if !raise(&limit.Cur, &limit.Max, n+beside) {
		return nil
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the system allows %d: %w", allowed, err)
	}
	return nil
}

// raise is for the two integer types that systems have for a limit.
func raise[T int64 | uint64](soft, hard *T, want int) bool {
	if *soft >= T(want) {
		return false
	}
	*soft = T(want)
	*hard = max(*hard, *soft)
	return true
}
