// Package postgres keeps messages in PostgreSQL 13 or later: the spool of many hosts.
// migrations/ has the tables, and the functions that are the only way to change messages.
//
//	message     what changes of a message and what a listing shows; narrow rows
//	content     its envelope and the first 256 KiB of its body; written once
//	event       its record after the envelope, a row an event; appended
//	chunk       the rest of its body, 256 KiB a row; written once
//	draft       bodies with chunks whose message is not queued yet
//	session     who has claimed messages: a host, and until when it counts as alive
//	host        when each host last flushed; forgotten after 30 days
//	import_key  the keys of imported messages, also of those that have left
//	history     what became of messages
//	value       the small values of spool.State
//	lock        what one host at a time may do: import (package locks)
//
// # Rules
//
// Each step is one call of one function: one round trip, one transaction. Between steps nothing
// is kept on the server: no transaction, no setting, no prepared statement, no lock. So it works
// through PgBouncer in transaction mode, and no transaction is open while mail is sent. Only on
// connections that are this program's own there is more: statements that were prepared, lock_timeout,
// and the advisory lock of an import.
//
// Only the clock of the database counts for claims. Times of messages are unix seconds.
//
// # Migrations
//
// A file of migrations/ is not changed once it is on the main branch: version 0.4.0 made tables by
// 0001, and development versions by the others. PostgreSQL replaces a function only as a whole, so a
// later file repeats the functions that it changes. What holds of a function is its last definition.
//
// # Claims
//
// A store that claims has a session, which it renews three times within each lease (45 s). A
// message is claimed if its holder is a session that has not run out. So a renewal is one row
// however many messages are claimed, and all claims of a dead host are free at once when its
// session runs out. A session that ran out is never renewed: its store begins another one.
//
// Each claim has a token of its own, drawn at random. Every step says which token it was
// given, and does nothing if the message has another one by now, because another host claimed
// it when the lease was over (fencing). An attempt begins only if the session is alive at that
// moment. The outcome of one may be written later than that, as long as nobody else has
// claimed the message: to lose it would send the message twice.
//
// # Lost connections
//
// If the connection is lost while a step is under way, it is not known whether it was done.
// Each step may be called again: an event has a place, which is taken if it was done; a claim,
// a value and a lock have the token that was drawn for it; a new message has the number of its
// body. So each step is tried again, on a new connection, for some seconds. If no answer comes
// by then, Commit says spool.ErrUnsure, and other steps fail.
//
// # Durability
//
// Commit, and what is done Now, is committed synchronously. What is done Lazy or Soon is
// committed asynchronously: the server writes it to its disk within a second, and only a crash
// of the server can take it back, not one of a host. Sync and Close commit synchronously, and with that
// all that was committed before.
package postgres
