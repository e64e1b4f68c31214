// Package route is the route of a message over the servers: their order,
// what happens when one fails, the circuit breaker, the connections kept open and
// the rates. What a reply means is smtpclient's to say; what follows from it is said
// here, as in the table of SPEC section 5.
//
// The files, in the order in which a message meets them:
//
//	route.go    Deliver: server after server
//	job.go      one message under way: who is still open, what was heard, what to tell
//	scouts.go   who met a server's trouble goes first to the next one
//	server.go   one server at work
//	ask.go      one message and one server: transactions, the second try on a fresh connection
//	verdict.go  what the answers of one transaction mean for the message and the server
//	rate.go     rate_per_minute and rate_per_day, counted over all flushes
//	limit.go    [[limit]]: the same for recipients' domains, over all servers
//	ledger.go   how that is kept
//	pool.go     connections: an idle one, a new one
//	queue.go    those who wait for a place, in order
//	breaker.go  trouble: left alone for the rest of the run and a while after
//	health.go   what of that is kept from run to run
//	secret.go   has a refused secret changed?
//
// A server has one mutex for its pool and its breaker: they must never disagree
// on whether it is down. No I/O is done while it is held.
package route
