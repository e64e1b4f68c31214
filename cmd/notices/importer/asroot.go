package importer

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/config"
)

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
