// Package advice finds out what to do about an error of the file system in a spool.
package advice

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool/internal/fsys"
)

// DoneMode is the mode of a body whose message is finished. Nothing has to be done about it.
const DoneMode = 0o1400

// Add adds to an error the command that repairs it. spool is the path of the folder, and names are
// the files and folders in it that may be the cause. The caller explains a full disk.
func Add(err error, d fsys.FS, spool string, names ...string) error {
	repair := ""
	switch {
	case errors.Is(err, unix.EIO):
		repair = "the disk may be failing: see the kernel's log (dmesg)"
	case errors.Is(err, fs.ErrPermission):
		repair = "if a file there is immutable, as root run: chattr -R -ia " + spool
		for _, name := range names {
			if found := Mode(d, spool, name); found != "" {
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

// Mode is the command that gives a file or folder to us or lets us write to it, if that is what it
// lacks.
func Mode(d fsys.FS, spool, name string) string {
	st, err := d.Stat(name)
	us := unix.Geteuid()
	need := uint32(0o600)
	if st.Dir {
		need = 0o700
	}
	switch {
	case err != nil || us == 0:
	case int64(st.UID) != int64(us):
		return fmt.Sprintf("%s belongs to another user (%d); as root run: chown -R %d:%d %s", name, st.UID, us, unix.Getegid(), spool)
	case st.Mode&need != need && st.Mode != DoneMode:
		return fmt.Sprintf("the mode of %s is %04o; run: chmod u+rwX %s/%s", name, st.Mode, spool, name)
	}
	return ""
}
