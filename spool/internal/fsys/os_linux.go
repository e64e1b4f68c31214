package fsys

// How each step is made durable on Linux:
//
//	content of a file    fdatasync(2): the content and the metadata needed to read it
//	entries of a folder  fsync(2) of the folder
//	the file system      syncfs(2)
//	a new name           renameat2(2) with RENAME_NOREPLACE; a file system without it gets a
//	                     hard link and an unlink
//	room to grow         fallocate(2); a file system without it gets NUL octets written
//	a listing            getdents64(2) into one large buffer
//	a hint to write      sync_file_range(2)

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// enterOnly opens a folder for what is reached by it, not for its names.
const enterOnly = unix.O_PATH

const (
	errNoRenameNew = unix.EINVAL
	errNoAllocate  = unix.EOPNOTSUPP
)

// refusedLink: open(2) with O_NOFOLLOW says ELOOP of a symbolic link.
func refusedLink(err error) error { return err }

func renameNew(at int, base string, into int, name string) error {
	err := unix.Renameat2(at, base, into, name, unix.RENAME_NOREPLACE)
	if err == unix.ENOSYS {
		return errNoRenameNew
	}
	return err
}

func startSync(fd int)      { _ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }
func syncFile(fd int) error { return unix.Fdatasync(fd) }
func syncDir(fd int) error  { return unix.Fsync(fd) }
func syncFS(fd int) error   { return unix.Syncfs(fd) }

func allocate(fd int, size int64) error {
	err := unix.Fallocate(fd, 0, 0, size)
	if err == unix.ENOSYS {
		return errNoAllocate
	}
	return err
}

// listBuffer is large, as a folder of a million names is read with it.
const listBuffer = 256 << 10

// list closes fd.
func list(fd int, yield func(name []byte) bool) error {
	defer unix.Close(fd)
	buf := make([]byte, listBuffer)
	for {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Getdents(fd, buf)
			return err
		})
		if err != nil || n == 0 || !eachName(buf[:n], yield) {
			return err
		}
	}
}

// eachName walks linux_dirent64 records, getdents64(2): inode and offset, eight
// octets each, record length, two, type, one, the name, a NUL.
func eachName(buf []byte, yield func(name []byte) bool) bool {
	const nameAt = 19
	for len(buf) > nameAt {
		length := int(binary.NativeEndian.Uint16(buf[16:]))
		name := buf[nameAt:length]
		buf = buf[length:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." && !yield(name) {
			return false
		}
	}
	return true
}

// sharedKind goes by the magic numbers of statfs(2).
func sharedKind(st *unix.Statfs_t) string {
	const (
		cifs = 0xff534d42
		smb2 = 0xfe534d42
		ceph = 0x00c36400
		afs  = 0x5346414f
		gfs2 = 0x01161970
		ocfs = 0x7461636f
	)
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, cifs, smb2:
		return "SMB"
	case ceph, afs, gfs2, ocfs:
		return "a network or cluster file system"
	}
	return ""
}
