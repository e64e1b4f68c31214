//go:build darwin || freebsd

package fsys

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// What macOS and FreeBSD have in common.

// enterOnly opens a folder for what is reached by it, not for its names.
const enterOnly = unix.O_SEARCH

const errNoAllocate = unix.EOPNOTSUPP

func startSync(int) {}

func allocate(int, int64) error { return errNoAllocate }

// listPart is how many names are read at once.
const listPart = 4096

// list closes fd.
func list(fd int, yield func(name []byte) bool) error {
	dir := os.NewFile(uintptr(fd), "")
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(listPart)
		for _, name := range names {
			if !yield([]byte(name)) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sharedKind goes by the flag that the system gives local file systems.
func sharedKind(st *unix.Statfs_t) string {
	if st.Flags&unix.MNT_LOCAL != 0 {
		return ""
	}
	if kind := unix.ByteSliceToString(st.Fstypename[:]); kind != "" {
		return kind
	}
	return "a network file system"
}
