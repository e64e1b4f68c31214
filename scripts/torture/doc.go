// Package torture sweeps the real binary from outside: strace kills it at, or fails,
// one system call after another; many flushes run at once and are killed, stopped and
// ended at random; the disk is full, or read-only; files and folders are somebody else's,
// immutable, or on a file system without modes. The sweeps of thousands of
// simulated disks are in spool/torture.
//
// The tests need strace, bindfs, ext4 and root (build tag peers). They run a fixed sample; with
// -full, as `make torture` does, all of it.
package torture
