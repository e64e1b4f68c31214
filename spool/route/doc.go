// Package route takes messages to servers: in which order, what happens when one fails, the circuit
// breaker, and the connections kept open. What a reply
// means is decided in package smtpreply; what follows from it is decided here, as notices(1)
// and notices-flush(1) describe it. Package rate counts the transactions.
//
// The files, in the order in which a message meets them:
//
//	route.go    Deliver: server after server
//	senders.go  the servers for a sender
//	attempt.go  one message under way: its open recipients, what servers said, the result
//	gate.go     failover gate: a message that met a server's trouble goes first to the next one
//	server.go   one message and one server: transactions, a second try on a fresh connection
//	verdict.go  what the answers of one transaction mean for the message and the server
//	pool.go     connections: leases on an idle or a new one, and the queue for them
//	breaker.go  circuit breaker: closed, half-open, or open for the rest of the run and a while after
//	health.go   the breaker's memory from run to run, and the notices for status
//	secret.go   whether a refused secret has changed
//
// Pool, breaker, gate and rate know nothing of each other; server ties them together. When a
// server is found down, the message enters the gate first, then the breaker trips, then the pool
// closes, and only then the message gives its lease back: no other message gets in between.
package route
