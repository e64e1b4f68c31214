// Package smtptest gives tests SMTP servers. There are three kinds:
//
//   - Server behaves well and records what it is sent. The protocol is spoken by go-smtp, so
//     that our client is tested against code that somebody else wrote; this package puts a
//     line-wise filter between it and the wire, which offers what Options say (go-smtp
//     has no switches for that), does STARTTLS, and misbehaves at one step on demand.
//   - Peer plays a script word for word: for what no server would do, and for the exact
//     order of bytes on the wire.
//   - Nobody fails the test when anyone connects.
//
// CA makes certificates, good and bad ones. All listen on loopback addresses. The
// package does not link package testing, so a demonstration can use a Server too.
package smtptest
