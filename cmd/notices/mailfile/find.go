// Package mailfile finds and opens the files that people keep mail in: .eml, mbox, Maildir, a
// folder of .eml, standard input. import and read-bounces read the same ones.
package mailfile

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

// File is one file to read.
type File struct {
	Path   string   // "-": standard input
	Single bool     // it is one message; else it may be an mbox
	Size   int64    // octets; 0 if that is not known
	pipe   bool     // or a device: even its opening may never end
	own    bool     // within our own spool, where others may have put it
	in     string   // the folder that was named, if it was one
	opened *os.File // by root, before it became the owner of the spool
}

const notRegular = "is not a regular file; skipped"

// open opens a regular file only: opening a pipe that was put in its place meanwhile might
// never return.
func (f *File) open() (*os.File, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if f.own {
		flags |= unix.O_NOFOLLOW
	}
	return onlyRegular(os.OpenFile(f.Path, flags, 0))
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

// Reason is an error without the path and the system call in it.
func Reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// Search finds the files to read.
type Search struct {
	Spool  string                 // our own, in which no link is followed
	Refuse func(path, why string) // takes what cannot be read
	Skip   func()                 // is called for a message that its owner marked as draft or deleted; nil: those are read, too
}

// Files finds the files in all paths.
func (s *Search) Files(paths []string) []File {
	var all []File
	for _, path := range paths {
		if path == "-" {
			all = append(all, File{Path: path})
			continue
		}
		own := s.inSpool(path)
		info, err := stat(path, own)
		switch {
		case err != nil:
			s.Refuse(path, Reason(err))
		case info.IsDir():
			found, err := s.folder(path, info)
			if err != nil {
				s.Refuse(path, err.Error())
			}
			for _, f := range found {
				f.in = path
				all = append(all, f)
			}
		case own && !info.Mode().IsRegular():
			s.Refuse(path, notRegular)
		default:
			all = append(all, File{Path: path, own: own, Single: own, Size: info.Size(), pipe: !info.Mode().IsRegular()})
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
func (s *Search) inSpool(path string) bool {
	spool, err := os.Stat(s.Spool)
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
func (s *Search) folder(dir string, info fs.FileInfo) ([]File, error) {
	if own, err := os.Stat(s.Spool); err == nil && os.SameFile(own, info) {
		return nil, errors.New("this is the spool itself: what is in there is queued")
	}
	var files []File
	maildir := false
	for _, name := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		switch {
		case err == nil:
			maildir = true
			files = append(files, s.pick(filepath.Join(dir, name), entries, s.isMaildirMessage)...)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			return nil, errors.New(name + ": " + Reason(err))
		}
	}
	if maildir {
		return files, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.New(Reason(err))
	}
	files = s.pick(dir, entries, IsEML)
	if len(files) == 0 && len(entries) > 0 {
		return nil, errors.New("no file in this folder ends in .eml, and it is not a Maildir, which has folders new and cur")
	}
	return files, nil
}

// pick takes the files whose names are wanted, sorted as they are.
func (s *Search) pick(dir string, entries []fs.DirEntry, wanted func(name string) bool) []File {
	var files []File
	own := s.inSpool(dir + "/.")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() || !wanted(e.Name()) {
			continue
		}
		f := File{Path: filepath.Join(dir, e.Name()), Single: true, own: own}
		switch info, err := stat(f.Path, own); {
		case err != nil: // opening it says the same
		case !info.Mode().IsRegular():
			s.Refuse(f.Path, notRegular)
			continue
		default:
			f.Size = info.Size()
		}
		files = append(files, f)
	}
	return files
}

// isMaildirMessage skips what its owner has marked as draft or as deleted.
func (s *Search) isMaildirMessage(name string) bool {
	_, flags, _ := strings.Cut(name, ":2,")
	if s.Skip != nil && strings.ContainsAny(flags, "DT") {
		s.Skip()
		return false
	}
	return true
}

// AsRoot opens all files with root's rights, then becomes the owner of the spool, who perhaps
// may not read them. A file that the owner could exchange for a link is left for the owner to
// open, and in a folder no link leads out of it. done: the process was root's.
func (s *Search) AsRoot(p *app.Program, cfg *config.Config, paths []string) (files []File, done bool, err error) {
	owner, err := p.SpoolOwner(cfg)
	if err != nil || owner == nil {
		return nil, false, err
	}
	files = s.Files(paths)
	if err := moreFiles(len(files)); err != nil {
		return nil, false, app.Fail(app.ExitPermission, "%d files are too many to be opened by root at once (%w): name fewer, or make them readable for the user of the spool and run this as that user", len(files), err)
	}
	for i := range files {
		if f := &files[i]; f.Path != "-" && !f.own && !owner.Controls(f.Path) {
			// On an error the owner tries again, and then the file is refused.
			f.opened, _ = f.openAsRoot()
		}
	}
	return files, true, p.BecomeOwner(cfg)
}

func (f *File) openAsRoot() (*os.File, error) {
	switch {
	case f.pipe:
		fd, err := unix.Open(f.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), f.Path), nil
	case f.in == "":
		return f.open()
	}
	folder, err := os.OpenRoot(f.in)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	name, err := filepath.Rel(f.in, f.Path)
	if err != nil {
		return nil, err
	}
	return onlyRegular(folder.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
}

// IsEML reports whether the name is that of a file with one message.
func IsEML(path string) bool { return strings.EqualFold(filepath.Ext(path), ".eml") }

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
