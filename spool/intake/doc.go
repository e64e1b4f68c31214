// Package intake takes mail in: from octets and a few words about them (the sender,
// the recipients) it makes a message in the spool. enqueue, import, sendmail and the
// submission server differ only in the Request they make. Package mailaddr reads and
// repairs addresses, package mbox reads mboxes.
//
// The message is read once, whatever its size: the header is held in memory, at most 1 MiB
// of it, and the body streams. A small message is read with one Read and a half and
// written to its Draft with one Write, because most of what an enqueue costs is
// system calls. Nothing is created in the spool before the header was found good.
//
// # What is stored
//
// The stored form is canonical: CRLF line ends only, no NUL, no line over 998
// octets, a line end at its end. Whatever servers further on take for the end of a
// message (SMTP smuggling), it is not in there.
//
//   - CRLF and LF end a line, and so does CR CR LF, which Windows makes of CRLF.
//   - A CR alone ends a line in the body. In the header it becomes a blank: programs
//     that guard their header fields against injection often think of LF only, and
//     what follows a CR must not become a field. (A message without any LF at all comes
//     from an old Macintosh; there CR ends header lines too.)
//   - A body with lines over 998 octets is re-encoded by package recode, in a second
//     pass. In a signed part that is refused.
//   - A header line over 998 octets is folded at its blanks, or encoded; of address
//     fields the long names.
//
// # The header
//
// Fields keep their octets, their order and their folding, with the exceptions that follow;
// fields that are added come last. Bcc, Resent-Bcc and Return-Path are removed, and so are
// "From " and ">From " lines of an mbox, a UTF-8 byte order mark before the header, and a
// line of blanks within it, which some readers take for its end. A missing (or empty) Date,
// Message-ID or From is added.
//
// Blanks between a field's name and the colon are removed. Of fields that may be there once
// the first stays; several To or Cc become one. Mail with a DKIM signature keeps all
// (duplicates.go).
//
// Octets over 127 are encoded (RFC 2047, and RFC 2231 in parameters), so that no server
// needs SMTPUTF8 for a name or a subject. Only local parts of addresses keep them, and
// signatures. What is left of them sets Envelope.EightBit and, in a header that is valid
// UTF-8 or in an address, Envelope.UTF8 (RFC 6532). A signed header in Latin-1 goes as
// 8BITMIME, which servers accept although RFC 6152 speaks of bodies only.
//
// Address fields are repaired as Postfix does for mail of its own machine: a bare name
// gets the site's domain, a dot at the end of a domain is removed. From is repaired
// further, since providers refuse mail for it: what net/mail does not read and mailaddr
// can is written anew with its name quoted ("Library, Desk <desk@...>"), addresses that
// stand behind one another get their comma, words without any address become a name
// beside the site's. Of several From fields the first is kept, where Postfix passes all
// of them on. What cannot be read stays as it is, as with Postfix. Only a From that had
// a CR in it and is not a list of addresses is refused: that may be an injection.
//
// A line that is neither a field nor a continuation is refused, with its number; so
// is a message that has no header at all. With Request.Lenient such a line begins
// the body, as with sendmail and Postfix; but while fields follow before an empty line it is
// kept as X-Broken-Header, so that a Bcc behind it is not shown (brokenheader.go).
//
// # Recipients
//
// They come from the arguments; without arguments from To, Cc and Bcc, or from
// Resent-To, Resent-Cc and Resent-Bcc if one of these is there (RFC 5322 section
// 3.6.6). What cannot be read is refused, never guessed and never dropped; with
// Request.ReturnBad it stays among the recipients, and the first attempt returns it. A name
// without a domain is one of this machine (aliases.go); among the arguments only with
// Request.Qualify, which is sendmail's.
//
// # rewrite_from
//
// With Site.RewriteFrom the From field becomes the site's address. The name shown is
// still that of the original From, so that a patron sees which branch wrote; without
// one it is the site's. The original From goes to Reply-To unless that is set, and a
// Sender field, which would contradict, is removed. The envelope sender becomes the
// site's address and returns go to the original one; a null sender stays null, or
// returns would be returned.
//
// # Sites of a service
//
// With Request.Hosted the message is one of a site, and the service sends it: From is the site's
// name at the service's address; the site's own From goes to Reply-To as above, and without one
// the site's address does. The envelope sender is the service's address with the id of the
// message, and returns go to the site's address. Fields that only servers may write are
// removed (hosted.go).
//
// # Many at once
//
// Bulk is for imports: it prepares messages one by one and commits them by the hundred,
// so that they share their syncs, and by their import keys it knows which ones an earlier
// run queued.
package intake
