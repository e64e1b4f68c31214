// Package postgres keeps messages in PostgreSQL 13 or later: the spool of many hosts.
// migrations/ has the tables, and functions.sql the functions that are the only way to change messages.
//
//	message     what changes of a message, its events, and what a listing shows; narrow rows
//	content     its envelope and the first 256 KiB of its body; written once
//	chunk       the rest of its body, 256 KiB a row; written once
//	draft       bodies with chunks whose message is not queued yet
//	session     who has claimed messages: a host, and until when it counts as alive
//	host        when each host last flushed; forgotten after 30 days
//	import_key  the keys of imported messages, also of those that have left; and for a day, with
//	            an empty key, the ids of those that left without a history
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
// Steps of different messages that come at the same time, and that need not be durable, share a
// transaction, and those of one kind a statement: with 20 messages on their way a statement serves
// some ten. A step never waits for others to come.
//
// Only the clock of the database counts for claims. Times of messages are unix seconds.
//
// # Migrations
//
// A file of migrations/ has what a version changes in the tables, and is not changed once that version
// is released: 0001 is version 0.4.0, and 0007 is 0.5.0; versions 2 to 6 were between them, and in no
// release. functions.sql has the functions as they are. If a migration is run, all functions
// are dropped and made anew; so a change of a function alone needs a migration, which may be empty.
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
// Two hosts that go through the same messages never wait for each other in a circle: a claim passes over
// a row that is locked, it is the last statement of its transaction, and it locks no row
// of a message that another host has.
//
// # Lost connections
//
// If the connection is lost while a step is under way, it is not known whether it was done.
// Each step may be called again: an event has a place, which is taken if it was done; a claim,
// a value and a lock have the token that was drawn for it; a new message has the number of its
// body. So each step is tried again, on a new connection, for some seconds. If no answer comes
// by then, Commit says spool.ErrUnsure, and other steps fail.
//
// A new message may have been sent, too, before its Commit is tried again. The history tells, or
// import_key without one: if its id has left, the first try queued it. At a first try that
// is another message of the same id: spool.ErrLeft.
//
// # Durability
//
// Commit, and what is done Now, is committed synchronously. What is done Lazy or Soon is
// committed asynchronously: the server writes it to its disk within a second, and only a crash
// of the server can take it back, not one of a host. Sync and Close commit synchronously, and with that
// all that was committed before.
package postgres
