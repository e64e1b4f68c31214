package fsys

// How each step is made durable on macOS:
//
//	content of a file    fcntl(2) F_FULLFSYNC: fsync(2) there leaves the content in the cache of
//	                     the disk. A file system without it gets fsync(2)
//	entries of a folder  the same, of the folder
//	the file system      sync(2), which begins to write everything, then F_FULLFSYNC of the file,
//	                     which waits for the journal (HFS+) or the checkpoint (APFS) that has
//	                     its name
//	a new name           renameatx_np(2) with RENAME_EXCL; a file system without it gets a hard
//	                     link and an unlink
//	room to grow         NUL octets written: F_PREALLOCATE reserves no metadata
//	a listing            readdir(3), in parts
//	a hint to write      there is no such call; Sync writes

import "golang.org/x/sys/unix"

const errNoRenameNew = unix.ENOTSUP

// refusedLink: open(2) with O_NOFOLLOW says ELOOP of a symbolic link.
func refusedLink(err error) error { return err }

func renameNew(at int, base string, into int, name string) error {
	err := unix.RenameatxNp(at, base, into, name, unix.RENAME_EXCL)
	if err == unix.EINVAL || err == unix.ENOSYS {
		return errNoRenameNew
	}
	return err
}

func syncFile(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if err == unix.ENOTSUP || err == unix.EINVAL || err == unix.ENOTTY {
		return unix.Fsync(fd)
	}
	return err
}

func syncDir(fd int) error { return syncFile(fd) }

func syncFS(fd int) error {
	_ = unix.Sync()
	return syncFile(fd)
}
