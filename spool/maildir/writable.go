package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool/maildir/sidecar"
)

// probeLock lets one process at a time use sidecar.ProbeName. The next one goes on with what
// a killed one left in any folder. No listing takes it for a message.
const probeLock = stateDir + "/.trial.lock"

// Writable tries every step that the outcome of an attempt may need, in the folder where
// it needs it, with one file that walks through all folders: it finds a full disk, a
// read-only mount, a folder that another user owns after a restore, and a file system
// that keeps no modes, before a server hears of any message. It costs some thirty system
// calls, however many messages there are.
func (s *Store) Writable(context.Context) error { return s.withLayout(s.probe) }

func (s *Store) probe() error {
	lock, err := s.state.Lock(probeLock)
	if err != nil {
		return s.stepError("making a file in", stateDir, err, probeLock)
	}
	defer lock.Close()
	at := tmpDir + "/" + sidecar.ProbeName
	err = s.createProbe(at)
	for _, dir := range []string{stateDir, asideDir, failedDir, importDir, curDir} {
		if err != nil {
			break
		}
		to := dir + "/" + sidecar.ProbeName
		if err = s.fs.Replace(at, to); err != nil {
			err = s.stepError("moving a file to", dir, err)
		} else {
			at = to
		}
	}
	if err != nil {
		_ = s.fs.Unlink(at) // the next probe does, if this cannot
		return err
	}
	if err := s.fs.Unlink(at); err != nil {
		return s.stepError("removing a file from", curDir, err)
	}
	for _, dir := range []string{curDir, failedDir, stateDir} {
		if err := s.fs.SyncDir(dir); err != nil {
			return s.stepError("syncing", dir, err)
		}
	}
	return nil
}

// createProbe makes the file, writes a block, and marks it as Remove marks a body.
func (s *Store) createProbe(at string) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC
	f, err := s.fs.Open(at, flags, 0o600)
	if errors.Is(err, fs.ErrPermission) && s.fs.Unlink(at) == nil { // marked by a probe that was killed
		f, err = s.fs.Open(at, flags, 0o600)
	}
	if err != nil {
		return s.stepError("making a file in", tmpDir, err, at)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, sidecar.BlockSize)); err != nil {
		return s.stepError("writing to a file in", tmpDir, err)
	}
	if err := f.Sync(); err != nil {
		return s.stepError("syncing a file in", tmpDir, err)
	}
	if err := f.Chmod(doneMode); err != nil {
		return s.noModesError(err)
	}
	st, err := f.Stat()
	if err == nil && st.Mode != doneMode {
		err = s.noModesError(fmt.Errorf("it became %04o, not %04o", st.Mode, doneMode))
	}
	return err
}

// stepError says which step failed in which folder, and what repairs it. A folder that is
// missing is left to withLayout.
// files are those in it that may be the cause.
func (s *Store) stepError(step, dir string, err error, files ...string) error {
	err = fmt.Errorf("%s %s/%s failed: %w", step, s.dir, dir, withoutPath(err))
	return s.withRepair(err, append(files, dir)...)
}

func (s *Store) noModesError(err error) error {
	return fmt.Errorf("changing the mode of a file in %s/%s failed: %w; the spool needs a file system that keeps the modes of files, such as ext4 or xfs: move it there and set [spool] dir", s.dir, tmpDir, withoutPath(err))
}

// cause is the system's error without the name of a file that means nothing to a person.
func withoutPath(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// withRepair adds to an error the command that repairs it. names are the files and
// folders that may be its cause. The caller explains a full disk.
func (s *Store) withRepair(err error, names ...string) error {
	repair := ""
	switch {
	case errors.Is(err, unix.EIO):
		repair = "the disk may be failing: see the kernel's log (dmesg)"
	case errors.Is(err, fs.ErrPermission):
		repair = "if a file there is immutable, as root run: chattr -R -ia " + s.dir
		for _, name := range names {
			if found := s.repairMode(name); found != "" {
				repair = found
				break
			}
		}
	}
	if repair == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, repair)
}

// repairMode is the command that gives a file or folder to us or lets us write to it, if
// that is what it lacks.
func (s *Store) repairMode(name string) string {
	st, err := s.fs.Stat(name)
	us := unix.Geteuid()
	need := uint32(0o600)
	if st.Dir {
		need = 0o700
	}
	switch {
	case err != nil || us == 0:
	case int64(st.UID) != int64(us):
		return fmt.Sprintf("%s belongs to another user (%d); as root run: chown -R %d:%d %s", name, st.UID, us, unix.Getegid(), s.dir)
	case st.Mode&need != need && st.Mode != doneMode:
		return fmt.Sprintf("the mode of %s is %04o; run: chmod u+rwX %s/%s", name, st.Mode, s.dir, name)
	}
	return ""
}
