// Package maildir keeps messages as files: the spool of one machine.
//
//	tmp/ID  tmp/.ID            being written; the writer holds the lock on tmp/ID
//	cur/ID                     the message, RFC 5322; never changed, never renamed within cur
//	cur/.ID,TIME,STATE         its sidecar: TIME the next send, unix seconds in ten digits;
//	                           STATE q (queued or deferred) or h (held)
//	failed/ID  failed/.ID,TIME,f   the same pair, of a message that nobody could be told of
//	aside/                     what was not understood
//	state/NAME                 small values; state/.NAME.lock serialises their writers
//	drop/                      reserved: where other users of the machine will hand mail in. A
//	                           flush will copy from there (never rename: the giver may still hold
//	                           the file open), so that nothing here needs to change for it.
//
// The sidecar's name is a hint, so that one listing tells what is due. Its
// content rules: lines, each a checksum and a JSON object, the envelope first and
// then the events of package spool, written in place into room that was reserved
// when the message was queued. A checksum covers all lines before its own, so
// a line can follow only the line it was written behind. A torn last line is no
// line; a torn first one sends the message to aside/.
//
// flock(2) on the body is the claim; it dies with its process. Whoever changes a
// sidecar holds it, and opens the sidecar under the listed name after locking:
// gone means that somebody was faster.
//
// # Table of states
//
// Which files exist, and what a message with just these files is. "Locked" says
// that a living process has the body's lock.
//
//	tmp/ID  tmp/.ID  cur/ID  cur/.ID,T,S  failed/ID  failed/.ID,T,f
//	x       ?                                                        being written (locked), else swept
//	        x        x                                               being committed (locked), else both are swept
//	                 x       x                                       queued, deferred or held
//	                 x                                               mode 0400: done with; swept after a second
//	                                                 x               listing; else its sidecar was lost: to aside/
//	                                                 x          x    failed
//	                         x                       x               on its way to or from failed/: finished,
//	                 x                                          x    the way the record says
//	                         x                                       body lost: to aside/
//
// # Steps
//
// Enqueue: write tmp/ID (locked) and tmp/.ID; sync both; rename the body, then
// the sidecar, which is the commit point; sync cur. A killed writer leaves one of
// the first two rows, a power cut those or a whole message.
//
// Attempt: make room if it is short; append the try without a sync. A kill leaves
// a queued message whose record says that attempt N began and when to go on.
//
// Delivered to all: mark the body (mode 0400); unlink the sidecar; sync cur, shared with
// others of the same second; unlink the body. In this order: a marked body without
// sidecar is swept, a sidecar without body would be a lost message. A power cut may take
// back the mark: then a delivered body may end in aside/, where a person looks. Deferred: append the result, rename
// to the next send; no sync, losing them costs an early try. Delivered to some:
// the same, with a sync of the sidecar shared within the second.
//
// Failed for some: append the result, synced; store the return under the id ID-n
// (a second store of it is a no-op); append "returned n", synced. Only then may the
// message go. Package flush orders these.
//
// What this asks of the file system: a rename is atomic; after fsync of a file its
// content is there, after fsync of a folder its entries are. Journalled local file
// systems do that. Network file systems are refused, for their locks.
package maildir
