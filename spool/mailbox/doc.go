// Package mailbox reads the mail in a folder of an IMAP server (RFC 3501, RFC 9051), each
// message once, and marks those that its caller is done with. notices read-bounces takes
// late returns in with it.
//
//	mailbox.go  the run: what to read, in which batches, what is remembered
//	open.go     connection, TLS, login
//	session.go  one step after another, with bounds of time and octets
//	nesting.go  refuses lists in lists without end
//	folder.go   the commands in a folder: search, fetch, flag, move
//	errors.go   what went wrong, and what to try
//
// # Each message once
//
// Messages are read in the order of their UIDs, so many at a time. What the caller found in a batch
// is made durable by its Commit; then the messages that it is done with are flagged as seen and
// moved; then the highest UID is remembered. A connection that is lost anywhere leads to messages
// that are read again, which the caller has to recognize, and never to one that is not read. What
// the server has and does not hand out is an error, and is asked for again. The first run reads
// what is not seen. Later ones read everything above, because a person may have opened it before; a
// mailbox with 10,000 other messages is not read again. When the server changes the UIDVALIDITY of
// the folder, the first run comes again.
//
// # A server that is slow, broken or hostile
//
// Every step ends after Server.Timeout. In each step the server may send so many octets and no
// more, whatever it does with them: that bounds the memory, since the library keeps a line or a
// quoted string as it comes. Of a message MaxMessage octets are fetched. No password leaves
// this machine without TLS that was verified: where TLS begins by STARTTLS, only this package
// speaks before it, so that nothing that was injected there reaches the library.
package mailbox
