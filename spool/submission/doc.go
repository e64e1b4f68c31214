// Package submission takes mail in by SMTP (RFC 5321, RFC 6409) and hands it to
// package intake: `sendmail -bs` speaks it on standard input and output, with a
// program of this machine on the other side. 250 after the final dot means what exit
// status 0 of enqueue means: message and envelope survive a power cut.
//
// The protocol is go-smtp's. Between it and the wire lies a filter (wire.go) that
// reads line by line and thus knows commands from message text:
//
//   - CHUNKING, which go-smtp always offers, is not: go-smtp takes a chunk that breaks off for a
//     whole one, and resets a session while another goroutine still reads its message. A client
//     that says BDAT all the same gets 502, and its chunk is read to its end. The connection is
//     closed if the length of the chunk is unclear or more than a message may have, or if nobody
//     has logged in.
//   - A command line has a limit of its own. go-smtp's would hold for the lines of
//     messages, too, and intake re-encodes those, however long they are.
//   - With a program of this machine (Options.Local) lines may end in LF, as every
//     sendmail has it, and an address may be a name without a domain.
//
// # Smuggling
//
// What ends a message must be the same for both sides, or what is text to the one is a
// command to the other. Only CRLF . CRLF ends it, as RFC 5321 section 4.1.1.4 has it. A
// local program that writes LF is known by its first line, and from then on LF will do; who
// begins with CRLF is held to CRLF, so that "LF . LF" in a patron's text, which such a
// program has no reason to guard, stays text. Otherwise a bare LF ends a line like CRLF, and
// the dot behind it that was put before another is taken off: Python's smtplib hands in
// such messages. That is what Postfix does ("normalize"), too. And when reading a message
// fails the connection is closed, because go-smtp would read the rest of it as commands.
//
// # The network
//
// Server takes mail from the sites of a hosted service. Before go-smtp sees a connection, it is
// admitted (admission.go: how many at once, of one site, of one address) and speaks TLS: what comes
// before STARTTLS is answered here (starttls.go), so that nothing said in the clear, and nothing
// that came together with STARTTLS, can reach a session. go-smtp does AUTH and the rest, with wire
// below it. On the network wire also sets the time limits (pace.go), writes replies to pipelined
// commands together and ends sessions that send too many commands or errors (reply.go). Its
// buffers are small, because most sessions are idle most of the time.
//
// The key of a site is checked again for each message, and each second for sessions that are
// idle, so that revoking it ends them. The answer to a wrong key comes late, and the later the more
// wrong keys came from that address or for that site. The answer to a right one never does, so that
// nobody can lock a site out.
//
// 250 means that the message is durable. Sessions share their syncs (group.go).
//
// A message has at most 256 KiB of header and 1 MiB of empty lines one after the other (headed.go):
// what is longer takes memory, here or where it is signed.
package submission
