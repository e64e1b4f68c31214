package fsys

// How each step is made durable on FreeBSD:
//
//	content of a file    fsync(2)
//	entries of a folder  fsync(2) of the folder
//	the file system      sync(2), which begins to write everything, then fsync(2) of the file:
//	                     UFS writes the folder entries that lead to it first, ZFS its whole
//	                     intent log up to there
//	a new name           a hard link and an unlink: link(2) never replaces
//	room to grow         NUL octets written: ZFS has no posix_fallocate(2), UFS writes them too
//	a listing            getdirentries(2), in parts
//	a hint to write      there is no such call; Sync writes

import "golang.org/x/sys/unix"

const errNoRenameNew = unix.EOPNOTSUPP

// refusedLink: open(2) with O_NOFOLLOW says EMLINK of a symbolic link where others say ELOOP.
func refusedLink(err error) error {
	if err == unix.EMLINK {
		return unix.ELOOP
	}
	return err
}

func renameNew(int, string, int, string) error { return errNoRenameNew }

func syncFile(fd int) error { return unix.Fsync(fd) }
func syncDir(fd int) error  { return unix.Fsync(fd) }

func syncFS(fd int) error {
	_ = unix.Sync()
	return unix.Fsync(fd)
}
