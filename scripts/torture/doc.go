// Package torture tests the real binary under faults: strace kills it at each system call,
// or makes the call fail; many flushes run at once and are killed, stopped and ended at
// random; the disk is full or read-only; files and folders belong to another user, are
// immutable, or are on a file system without modes. The tests with thousands of simulated
// disks are in spool/torture.
//
// The tests need strace, bindfs, ext4 and root (build tag peers). They run a fixed sample;
// with -full, as in `make torture`, they run all cases.
package torture
