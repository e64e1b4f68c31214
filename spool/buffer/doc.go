// Package buffer takes mail in while the database that is the spool cannot be reached: into a
// folder of this host, a spool of package maildir, from which the next flush of the host moves it
// into the database.
//
//	Store   for what takes mail in: the database, or else the folder
//	Move    the folder's mail into the database
//	View    both as one, for what lists messages
//
// # When mail goes into the folder
//
// When the database gives no answer within Patience, says that it cannot be used now
// (spool.ErrUnreachable: it starts, is read-only, has no room), or when it is not known whether it
// has queued a message (spool.ErrUnsure: its answer to the commit was lost). A wrong password, or
// tables of a newer version, are for a person to repair, who is told at once: nothing is queued.
//
// # Exactly once
//
// A message has one id, wherever it goes. If the answer to its commit was lost, it goes into the
// folder under that very id, and enqueue has queued it: the folder has it for certain. Whether the
// database has it, too, is decided when it is moved, by the database alone, in the transaction that
// would queue it. In there the row of the id is written first, so that no other transaction can
// write it; then it is looked for what that id may have left behind:
//
//	the id is there             the message is in the database; it leaves the folder
//	its import key is there     it was moved before, and has left the database since (the run
//	                            that moved it died before it could take it out of the folder)
//	history has entries of it   its commit was carried out, and it has left the database since
//	nothing of these            it was never there, and is there now
//
// This also holds for a commit that the network delivers late, when its message was moved, sent and
// removed long since: it finds the import key that the move left, and is refused. So a host that
// is cut off in mid-commit needs no way to find out what became of it.
//
// The history is the memory of what has left because it costs nothing more. Where it is kept for
// less than 30 days, each message is queued with an import key of its own instead (Store.Mark),
// which lives for 30 days behind it. A message that stays in the folder for longer than that, on a
// host that was switched off, say, may be sent a second time if it was there because of a lost answer.
//
// Within the folder each message is claimed while it is moved (package maildir), so two flushes of a
// host move none of them twice, and neither does an import of the folder beside them. The message is
// durable in the database before it leaves the folder, whatever is killed when.
package buffer
