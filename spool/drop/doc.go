// Package drop lets every user of a machine queue mail in a spool that belongs to one
// of them, and to nobody else.
//
// # Who may do what
//
// The spool belongs to a user of its own, and so does the folder drop/ in it: user and
// group of the spool, mode 3733. Anybody may enter drop/ and make files there; only its
// owner (and root) may list it. The sticky bit keeps users from removing,
// renaming or replacing each other's files. The setgid bit gives each file the spool's
// group: with mode 0640 the spool's user can read it, and of all others only the user
// who made it. By making drop/ the administrator allows others to queue mail; nothing
// here makes it.
//
// No program needs rights beyond its user's. A setuid or setgid program that is misled
// (through its environment, its descriptors, its config file, its parsers) acts with the
// rights of the spool. Here each user's process has the user's
// rights, reads the config as that user and writes into that user's disk quota. What
// it leaves behind is foreign data to the flush, which checks all of it again.
// Postfix began with such a folder, too. Its problems are solved here: it was
// readable and its names were known (here they are random and cannot be listed);
// a link to somebody else's file could be mailed (a file with a second name elsewhere is
// refused, links are not followed, and the file must have this form); half a file passed
// for a file (mode and checksum say when it is whole).
//
// # Files
//
//	drop/ID    mode 0600: being written, not yet a message; removed after a day
//	drop/ID    mode 0640: handed in; the next flush collects it
//	drop/.ID   looked at for the last time before it is removed (sweep.go)
//
// Nothing else belongs there. Files that have another name, a second one, or are not
// understood, go to aside/ under a safe name, a hundred of them; more are removed. Links,
// pipes, sockets, devices and empty folders are removed. A folder with something in it can be
// emptied only by its owner and moved by nobody else. It stays, under a name that costs a
// run no more than its listing.
//
// Anybody can make very many of all these. So a run clears away at most 10,000 names, for at
// most 0.3 s, and looks at no more than 50,000 that messages could have, chosen at random.
// Of those that it does not look at, it removes any that the store has (clearStored), or the
// rule below would not hold. Only the log tells of all this, and status counts it apart.
//
// # Handing in
//
// Make drop/ID (O_EXCL, mode 0600); write message, envelope and head; fdatasync; check
// that the name still exists; fchmod to 0640, the commit point; syncfs. If the program is
// killed before the commit point the file is never a message; after it, the file is one. A
// power cut before the last step leaves nothing, a file of mode 0600, or a whole message: its
// content was durable before its mode changed. Exit 0 comes after it.
//
// # Collecting
//
// Every flush, before it lists the spool: lock drop/ (flock, waited for); list it; for
// each message make a draft under the same id, going through intake with all its checks;
// commit many at once (durable); unlink them in drop/; then list the spool, still locked;
// if anything is due, sync drop/; unlock. Everything depends on this rule:
//
//	When a flush attempts a message, that message is not in drop/, and stays away
//	from there even if the power is cut.
//
// For what is attempted was seen in the listing, under the lock. Any run that had stored
// it before had the lock; it either went on and unlinked it in drop/, or died, and then
// this run found it in drop/ and, its id being taken in the store, unlinked it. So the
// unlink came before the listing, and the sync after it makes it durable before the
// first attempt. It does so for the unlinks of a dead run, too, which is why each run
// that attempts anything syncs for itself; a run with nothing due needs no sync.
//
// Interrupted between any two steps:
//
//	before the commit           drop/ID is as it was; a draft in tmp/ is swept
//	commit, before the unlink   in both; the next run finds the id taken, and unlinks
//	unlink, before the sync     a power cut may bring drop/ID back: the message was not
//	                            attempted yet, so it is in the store, and the row above holds
//	sync, before the unlock     done; the lock died with its process
//
// Two at once: the second waits for the lock, through the first one's listing. Before
// that it knows of nothing to attempt; after it, the rule holds for what the first
// collected. A run that is killed frees the lock at once.
//
// A store that takes nothing more (a full disk) must not keep what it has from being
// sent: the run goes on, what was handed in waits. But the rule holds for ids that are
// in both places also then: clearStored looks for them. When a file cannot be unlinked or
// the folder not be synced, nothing is sent.
//
// Users can remove or change their own files until they are collected. Then such a file is
// either another message of that user or none: the checksum covers what was read. A
// forged id that another message has, or had before it left the queue, goes to aside/
// (known.go); a free one is as good as any.
// Users who keep a file from being opened (a lease, a mode) delay only their own mail.
package drop
