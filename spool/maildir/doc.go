// Package maildir keeps messages as files: the spool of one machine.
//
//	tmp/ID  tmp/.ID            being written, or kept for reuse; the process has the lock on tmp/ID
//	cur/ID                     the message, RFC 5322; never changed, never renamed within cur
//	cur/.ID,TIME,STATE         its sidecar: TIME the next send, unix seconds in ten digits;
//	                           STATE q (queued or deferred) or h (held)
//	cur/.ID,EXPIRES,TIME,q     the same, if --expires was given: EXPIRES is when that is over
//	failed/ID  failed/.ID,TIME,f   the same pair, of a message that could not be returned
//	aside/                     what was not understood
//	state/NAME                 small values; state/.NAME.lock serialises their writers
//	history/DAY                what became of messages that left the queue (package historyfile)
//	import/                    what imports queued and has left (package imports)
//	drop/                      where other users of the machine hand mail in, if the administrator
//	                           made it. A flush copies from there (never renames: the giver may
//	                           still hold the file open); package drop has it all.
//
// The sidecar's name is a hint, so that one listing tells what is due. Its
// content rules: lines, each a checksum and a JSON object, the envelope first and
// then the events of package spool, written in place into room that was reserved
// when the message was queued. A checksum covers all lines before its own, so
// a line can follow only the line it was written behind. A torn last line is no
// line; a torn first one sends the message to aside/.
//
// flock(2) on the body is the claim; it dies with its process. Whoever changes a
// sidecar holds it, and opens the sidecar under the listed name after locking. If it is
// gone, another process has changed or removed the message meanwhile.
//
// # Table of states
//
// Which files exist, and what a message with just these files is. "Locked" says
// that a living process has the body's lock.
//
//	tmp/ID  tmp/.ID  cur/ID  cur/.ID,T,S  failed/ID  failed/.ID,T,f
//	x       ?                                                        being written, or kept for reuse (locked), else swept
//	        x        x                                               being committed, or sent (locked), else both are swept
//	                 x       x                                       queued, deferred or held; mode 1400: finished,
//	                                                                 whoever claims it finishes its removal
//	                 x                                               mode 1400: finished; swept after a second
//	                                                 x               listing; else its sidecar was lost: to aside/
//	                                                 x          x    failed
//	                         x                       x               on its way to or from failed/: finished,
//	                 x                                          x    the way the record says
//	                         x                                       its record says that all is done: swept;
//	                                                                 else the body is lost: to aside/
//	.writable in any folder                                          a probe (writable.go), not a message
//
// # Steps
//
// Enqueue: write tmp/ID (locked) and tmp/.ID; sync both; rename the body, then
// the sidecar, from which on the message exists; sync cur, from which on it is durable. A killed writer leaves one of
// the first two rows, a power cut those or a whole message.
//
// Import: as enqueue, for many at once, and so that a power cut leaves no part of one: sync
// all files, then tmp; rename the bodies, sync cur, rename the sidecars, sync cur. The
// envelope has the keys that an import knows the message by, so that both are queued in one
// step.
//
// Attempt: make room if it is short; append the try without a sync. A kill leaves
// a queued message whose record says that attempt N began and when to go on.
//
// Delivered to all: add the message to the history; mark the body (mode 1400); unlink the
// sidecar; sync the history, then cur, shared with others of the same second; unlink the body.
// In this order: a marked body without sidecar is swept, a sidecar without body would be a lost
// message, and whoever finishes a removal need not know how the message ended. A kill before
// the mark sends it again, and its entry supersedes this one. A power cut may take
// back the mark: then a delivered body may end in aside/, where a person looks. The files of a
// message that the same process had queued are kept for others instead (package reuse). The sidecar
// of an imported message is not unlinked but renamed to import/.ID; its keys are added to
// the journal and synced, before cur is, and then it is unlinked (package imports).
//
// Deferred: append the result, rename to the next send; no sync, losing them costs an early try. Delivered to some:
// the same, with a sync of the sidecar shared within the second.
//
// # Steps that fail
//
// What a server took must not be sent to it again, whatever fails behind its 250. So a run
// that is about to send tries each step first, in each folder where it may need it
// (Writable): if one fails, nothing is sent. What fails for one message only is met here:
//
//	open body or sidecar    (another user's, mode 0, immutable, EIO) before the attempt: it is
//	                        skipped, stays where it is, and is reported once
//	append the try          before the attempt: the run ends
//	mark the body           (another user's, immutable) the result is appended, synced; then the
//	                        body goes before its sidecar: a sidecar alone that says that all is
//	                        done is swept
//	unlink the sidecar      the result is appended, synced, and the body is marked: the next run
//	                        finishes the removal, or finds that it still cannot
//	unlink the body         it is marked and alone: swept by a later run
//	append or sync a result with a delivery: it is kept in state/stuck, synced, and
//	                        appended before the next run sends; the run ends
//	sync of what waits      the run ends before its next attempt
//	rename to the next send the name is a hint: the message is opened too early, and left
//	rename to failed/       the record says where it belongs: the next run moves it
//	add to the history      the message leaves all the same; HistoryError
//
// A finished message that cannot be removed is reported once. It is never an
// interrupted one: that has a try and no result, and no mark.
//
// Given up: add the message to the history; append that, synced; rename the pair to failed/. The
// history is synced with others of the same second.
//
// Failed for some: append the result, synced; store the return under the id ID-n
// (a second store of it is a no-op); append "returned n", synced. Only then may the
// message go. Package flush orders these.
//
// # Many messages
//
// What a step costs does not grow with the number of messages, in calls (scale_test.go):
//
//	listing         one reading of the folder; nothing is kept of what is not asked for; for
//	                inconsistent files, only names (scan.go)
//	list, status    a message: open, read and close the sidecar; what it takes on disk is
//	                known by that (peek.go)
//	hold and so on  a message: open, lock and read the pair, append, rename; its sync
//	                waits together with those of hundreds of others (syncer.go)
//	deliver, remove a message: the same without append and rename, and two unlinks; one sync of
//	                the folder for hundreds
//	repair          two readings of the folder for hundreds that are left over (orphans.go)
//
// What waits for a sync keeps files open, two thirds at most of those that the system
// grants the process. A caller that adds more waits.
//
// What this asks of the file system: a rename is atomic; after fsync of a file its
// content is there, after fsync of a folder its entries are. Journalled local file
// systems do that. Network file systems are refused, for their locks.
package maildir
