package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
)

// A command that root runs works as the owner of the spool. So a link that the owner puts
// there reaches only what the owner can reach, and no file in spool, log and state becomes
// root's. Root reads the config and opens what the command line names; then the change is
// final. A spool that belongs to root (in a container without other users, or a test) is used
// as root, if only root can put another one in its place.

// BecomeOwner makes a process of root's a process of the owner of the spool: all ids and
// groups, for good. For any other user it does nothing. Load calls it; a user of ReadConfig
// calls it before opening anything of the spool, the log or the state.
// spool.ErrNoSpool: the path of the spool is not a folder.
func (p *Program) BecomeOwner(cfg *config.Config) error {
	owner, err := p.SpoolOwner(cfg)
	if err != nil || owner == nil {
		return err
	}
	if err := owner.become(); err != nil {
		name := userName(owner.uid)
		return fmt.Errorf("%w: the spool %s belongs to user %s, and root cannot work as that user here (%w); run it as that user: runuser -u %s -- notices COMMAND",
			fs.ErrPermission, cfg.Spool.Dir, name, err, name)
	}
	p.Config = cfg.Path // $HOME, where it may have been found, is another one now
	return nil
}

// Owner is the owner of a file or folder.
type Owner struct{ uid, gid uint32 }

// Give makes a file the owner's.
func (o *Owner) Give(f *os.File) error { return f.Chown(int(o.uid), int(o.gid)) }

// SpoolOwner is the user that BecomeOwner will make this process run as; nil: it changes nothing.
func (p *Program) SpoolOwner(cfg *config.Config) (*Owner, error) {
	if p.Store != nil || os.Geteuid() != 0 {
		return nil, nil
	}
	owner, err := spoolOwner(cfg)
	if err != nil || owner.uid == 0 {
		return nil, err
	}
	return &owner.Owner, nil
}

// Controls reports whether the owner can change which file a path leads to, because a folder
// or a link on the way is the owner's.
func (o *Owner) Controls(path string) bool {
	whole, err := filepath.Abs(path)
	if err != nil {
		return true
	}
	steps, err := pathSteps(whole)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // what a link of /proc/self/fd names is nowhere
	}
	return err != nil || slices.ContainsFunc(steps, func(s pathStep) bool { return s.uid == o.uid })
}

// pathStep is a folder or link on the way to a path, or its end.
type pathStep struct {
	path string
	Owner
	mode uint32
}

func (s pathStep) isDir() bool { return s.mode&unix.S_IFMT == unix.S_IFDIR }

// spoolOwner finds who owns the spool, or would own it if it were made now.
func spoolOwner(cfg *config.Config) (pathStep, error) {
	dir := cfg.Spool.Dir
	steps, err := pathSteps(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil && !steps[len(steps)-1].isDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	if cfg.Spool.Database.IsSet() && errors.Is(err, unix.ENOTDIR) && len(steps) > 0 {
		err = nil // what is there is only beside the spool: a database that works is used
	}
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return pathStep{}, fmt.Errorf("%w: %s is not a folder: %w", spool.ErrNoSpool, dir, err)
	case missing && (filepath.Clean(cfg.Path) == config.SystemFile || filepath.Clean(dir) == config.SystemSpool):
		return pathStep{}, Fail(ExitConfig, "the spool %s does not exist yet; set notices up first, as root: %s\n"+
			"(it creates the user notices, who will own the spool; a spool made by root could be used by nobody else)", dir, SetupScript())
	case err != nil && !missing:
		return pathStep{}, err
	}
	owner := steps[len(steps)-1]
	if err := checkTrusted(dir, owner.uid, steps); err != nil {
		return pathStep{}, err
	}
	return owner, nil
}

// pathSteps are the folders and links that the system passes on its way to a path, as far as
// they exist; the last one is what the path leads to.
func pathSteps(path string) ([]pathStep, error) {
	at := string(filepath.Separator)
	root, err := lstat(at)
	if err != nil {
		return nil, err
	}
	steps, links := []pathStep{root}, 0
	for todo := strings.Split(path, "/"); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		next := filepath.Join(at, name)
		if next == at {
			continue
		}
		s, err := lstat(next)
		if err != nil {
			return steps, err
		}
		switch {
		case s.isDir():
			at = next
		case s.mode&unix.S_IFMT == unix.S_IFLNK:
			to, err := os.Readlink(next)
			if links++; err == nil && links > 40 {
				err = &fs.PathError{Op: "readlink", Path: path, Err: unix.ELOOP}
			}
			if err != nil {
				return steps, err
			}
			if filepath.IsAbs(to) {
				at = string(filepath.Separator)
			}
			todo = append(strings.Split(to, "/"), todo...)
		case len(todo) == 0:
			return append(steps, s), nil
		default:
			return steps, &fs.PathError{Op: "open", Path: next, Err: unix.ENOTDIR}
		}
		steps = append(steps, s)
	}
	// The last one is the folder itself, though the last step may have been a link to it.
	s, err := lstat(at)
	return append(steps, s), err
}

func lstat(path string) (pathStep, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return pathStep{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return pathStep{path, Owner{st.Uid, st.Gid}, widen(st.Mode)}, nil
}

// widen is for a mode, which has 16 bits on some systems.
func widen[T ~uint16 | ~uint32](mode T) uint32 { return uint32(mode) }

// checkTrusted refuses a spool that a user other than its owner and root could have put there:
// root would work as any user that they chose.
func checkTrusted(dir string, owner uint32, steps []pathStep) error {
	for _, s := range steps {
		if s.uid != 0 && s.uid != owner {
			return fmt.Errorf("%w: root does not use the spool %s, which belongs to user %s: %s, on the way to it, belongs to user %s, who could exchange it; "+
				"run the command as the user that the spool is for, or run: chown -R -h %s %s",
				fs.ErrPermission, dir, userName(owner), s.path, userName(s.uid), userName(s.uid), dir)
		}
		if owner == 0 && s.isDir() && s.mode&0o002 != 0 && s.mode&unix.S_ISVTX == 0 {
			return fmt.Errorf("%w: root does not use the spool %s: everybody can change %s; run: chmod o-w %s", fs.ErrPermission, dir, s.path, s.path)
		}
	}
	return nil
}

// userName is the name of a user, or the number of one without a name.
func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if account, err := user.LookupId(number); err == nil {
		return account.Username
	}
	return number
}

// become makes the process run with the ids of the owner and the groups of the owner's
// account; for an owner without an account, with the folder's group alone.
func (o *Owner) become() error {
	uid, gid := int(o.uid), int(o.gid)
	groups := []int{gid}
	account, err := user.LookupId(strconv.Itoa(uid))
	if err == nil {
		if gid, err = strconv.Atoi(account.Gid); err != nil {
			return err
		}
		groups = groupIDs(account)
	}
	err = syscall.Setgroups(groups)
	if err == nil {
		err = syscall.Setgid(gid) // real, effective and saved, as these are root's
	}
	if err == nil {
		err = syscall.Setuid(uid)
	}
	if err != nil {
		return err
	}
	if os.Getuid() != uid || os.Geteuid() != uid || os.Getgid() != gid || os.Getegid() != gid || syscall.Setuid(0) == nil {
		return errors.New("the system leaves root's rights to the process")
	}
	if account != nil { // what is started from here on looks for its files there
		for key, value := range map[string]string{"HOME": account.HomeDir, "USER": account.Username, "LOGNAME": account.Username} {
			if err := os.Setenv(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupIDs are the groups of a user.
func groupIDs(u *user.User) []int {
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	var list []int
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// SetupScript is the path of the setup script that make install or the package installed.
func SetupScript() string {
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		for _, path := range []string{filepath.Join(dir, "setup"), filepath.Join(filepath.Dir(dir), "libexec", "notices", "setup")} {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	return "scripts/setup in the source, which make install puts into libexec/notices, and the package runs"
}
