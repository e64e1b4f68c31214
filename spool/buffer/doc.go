// Package buffer takes mail in while the database that is the spool cannot be reached. The mail goes
// into a folder of this host, a spool of package maildir. The next flush of the host moves it into the
// database.
//
//	Store   for what takes mail in: the database, or else the folder
//	Move    the folder's mail into the database
//	View    both as one, for commands that list messages
//
// # When mail goes into the folder
//
// When the database gives no answer within Patience, says that it cannot be used now
// (spool.ErrUnreachable: it starts, is read-only, has no room), or when it is not known whether it
// has queued a message (spool.ErrUnsure: its answer to the commit was lost). A person has to repair a
// wrong password, missing rights or tables of a newer version, and is told at once: nothing is queued.
//
// # Exactly once
//
// A message has one id, wherever it goes. If the answer to its commit was lost, it goes into the
// folder under the same id, and enqueue has queued it: the folder has it for certain. Whether the
// database has it, too, is decided when it is moved, by the database alone, in the transaction that
// would queue it. That transaction first writes the row of the id, so that no other one can
// write it; then it looks for traces of the id:
//
//	the id is there             the message is in the database; it leaves the folder
//	its import key is there     it was moved before, and has left the database since (the run
//	                            that moved it died before it could take it out of the folder)
//	history has entries of it   its commit was carried out, and it has left the database since
//	none of these               it was never there; this transaction queues it
//
// This also holds for a commit that the network delivers late, when its message was moved, sent and
// removed long before: it finds the import key that the move left, and is refused. So a host that
// is cut off in mid-commit need not find out what became of it.
//
// That the history says what has left costs nothing more. Where it is kept for less than 30 days, each
// message is queued with an import key of its own instead (Store.Mark), which is kept for 30 days after
// the message has left. If a message is in the folder because of a lost answer, and stays there for longer
// than that, on a host that was switched off, say, it may be sent a second time.
//
// Each message in the folder is claimed while it is moved (package maildir), so that two flushes of a
// host, or an import of the folder beside them, move none of them twice. The message is durable in the
// database before it leaves the folder.
package buffer
