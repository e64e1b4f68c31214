package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool/maildir/imports"
	"notices/spool/maildir/sidecar"
	"notices/spool/maildir/values"
)

// probeLock lets one process at a time use sidecar.ProbeName. The next one goes on with what
// a killed one left in any folder. No listing takes it for a message.
const probeLock = stateDir + "/.trial.lock"

// Writable tries every step that the outcome of an attempt may need, in the folder where
// it needs it, with one file that walks through all folders: it finds a full disk, a
// read-only mount, a folder that another user owns after a restore, and a file system
// that keeps no modes, before a server hears of any message. It costs some thirty system
// calls, however many messages there are.
func (s *Store) Writable(context.Context) error { return s.folders.ensure(probe{s.folders}.run) }

// probe is a Writable under way.
type probe struct{ folders folders }

func (p probe) run() error {
	lock, err := values.Values{FS: p.folders.FS}.Lock(probeLock)
	if err != nil {
		return p.stepError("making a file in", stateDir, err, probeLock)
	}
	defer lock.Close()
	at := tmpDir + "/" + sidecar.ProbeName
	err = p.create(at)
	for _, dir := range []string{stateDir, asideDir, failedDir, imports.Dir, curDir} {
		if err != nil {
			break
		}
		to := dir + "/" + sidecar.ProbeName
		if err = p.folders.Replace(at, to); err != nil {
			err = p.stepError("moving a file to", dir, err)
		} else {
			at = to
		}
	}
	if err != nil {
		_ = p.folders.Unlink(at) // the next probe does, if this cannot
		return err
	}
	if err := p.folders.Unlink(at); err != nil {
		return p.stepError("removing a file from", curDir, err)
	}
	for _, dir := range []string{curDir, failedDir, stateDir} {
		if err := p.folders.SyncDir(dir); err != nil {
			return p.stepError("syncing", dir, err)
		}
	}
	return nil
}

// create makes the file, writes a block, and marks it as Remove marks a body.
func (p probe) create(at string) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC
	f, err := p.folders.Open(at, flags, 0o600)
	if errors.Is(err, fs.ErrPermission) && p.folders.Unlink(at) == nil { // marked by a probe that was killed
		f, err = p.folders.Open(at, flags, 0o600)
	}
	if err != nil {
		return p.stepError("making a file in", tmpDir, err, at)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, sidecar.BlockSize)); err != nil {
		return p.stepError("writing to a file in", tmpDir, err)
	}
	if err := f.Sync(); err != nil {
		return p.stepError("syncing a file in", tmpDir, err)
	}
	if err := f.Chmod(doneMode); err != nil {
		return p.noModesError(err)
	}
	st, err := f.Stat()
	if err == nil && st.Mode != doneMode {
		err = p.noModesError(fmt.Errorf("it became %04o, not %04o", st.Mode, doneMode))
	}
	return err
}

// stepError says which step failed in which folder, and what repairs it. A folder that is
// missing is left to ensure. files are those in it that may be the cause.
func (p probe) stepError(step, dir string, err error, files ...string) error {
	err = fmt.Errorf("%s %s/%s failed: %w", step, p.folders.dir, dir, withoutPath(err))
	return p.folders.withRepair(err, append(files, dir)...)
}

func (p probe) noModesError(err error) error {
	return fmt.Errorf("changing the mode of a file in %s/%s failed: %w; the spool needs a file system that keeps the modes of files, such as ext4 or xfs: move it there and set [spool] dir", p.folders.dir, tmpDir, withoutPath(err))
}

// withoutPath is the system's error without the name of a file that means nothing to a person.
func withoutPath(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}
