// Package dkim signs mail (RFC 6376) with RSA keys (rsa-sha256, RFC 8301) and Ed25519 keys
// (RFC 8463), makes such keys, and says whether the DNS has the record that belongs to one.
// The signing is go-msgauth's; this package says what is signed, and keeps it in bounds.
//
// # What is signed
//
// Mail whose From is an address of the domain, or of a domain below it: DMARC lets a signature
// of example.org stand for mail.example.org (relaxed alignment, RFC 7489 section 3.1.1), so the
// returns from MAILER-DAEMON@mail.example.org are signed with the same key. Mail from other
// domains goes out as it is: a signature would not speak for its author. A message that bears a
// signature of the domain keeps it and gets no other one, unless it had to be re-encoded for
// the server, which breaks the signature that it has.
//
// Header and body are "relaxed": blanks that a server adds or removes do no harm. There is no
// l=, which would let anybody add text; and no x=, because a server behind the next one may
// keep mail for days, and each new attempt of ours signs anew anyway. t= is the time of this
// machine: go-msgauth asks for it itself, and takes no other clock.
//
// The fields for the author, the recipients, the date and the subject, and those that say how the
// body is to be read, are listed once more than they occur ("oversigned"), so that nobody can add
// a second From or Subject, which some programs would show in place of the first. Cc, In-Reply-To,
// References and List-* are signed as they are: a mailing list adds its own List fields, and
// RFC 8058 section 4 wants the List-Unsubscribe fields signed. Received, Return-Path and Sender
// are not signed: other servers write these.
//
// A message is not made 7-bit for the signature's sake, as RFC 6376 section 5.3 advises, but only
// where the next server does not take 8 bits, before it is signed. Servers that lack 8BITMIME
// are rare; a message that is changed for nothing is not what the sender wrote.
//
// # Bounds
//
// A message is read forward and never held in memory, except for its header and for empty lines
// one after the other, which go-msgauth keeps until it sees what follows them. There is a limit
// for both (ErrUnsignable).
package dkim
