// Package smtpclient holds one conversation with one server: it connects, makes TLS,
// logs in and runs transactions, and says for each recipient what became of it.
// Which server, how often and what next is the route's business (package route). What a
// reply means is decided in package smtpreply, which also masks secrets in all that is shown.
//
// A reader follows Open in open.go, which connects (dial.go), makes TLS (tls.go) and logs in
// (auth.go); then Send in send.go, top to bottom: MAIL, RCPT and DATA in one group, the message
// (body.go), the reply to its final dot. transaction.go has what comes before and after that.
//
// # Why not go-smtp's client
//
// It says "EHLO localhost" before STARTTLS, so greeting, EHLO and STARTTLS must be spoken by hand
// in any case; it does not pipeline, so the transaction must be, too. What remained was AUTH: for
// this it reads replies of any number of lines into memory, finds an enhanced code in the first
// line only (535 5.7.139 and 534 5.7.9 come in several), sends a `*` after each refusal and waits
// for the answer, sends a token of any length as an initial response, and reads ahead in a buffer
// of its own that this package could not get back. So there is one reader of replies, bounded, for
// all steps. The server in package smtptest, which all of this is tested against, is go-smtp's.
//
// # Time
//
// Every step has its own deadline: a whole reply, a piece of 64 KiB of the message, the TLS
// handshake. A peer that drips a byte a second gains nothing by it. The context's deadline
// is never passed on; its end stops what is under way, but for the answer to a final dot, which
// is still waited for half a minute: without it nobody knows whether the message was taken.
//
// # One message at a time
//
// A connection carries one message at a time. With PIPELINING a message costs two round
// trips: commands, then content. RFC 2920 would let the next MAIL travel right behind the final
// dot and save one of them. But some servers and proxies drop the connection over it after they
// took the message (Dovecot's submission 2.3.19), which would then be sent twice.
package smtpclient
