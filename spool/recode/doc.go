// Package recode makes a message fit a narrower channel without changing what its
// readers see: it re-encodes the MIME parts whose lines are too long, or which have
// octets over 127 where the next server takes only seven bits (RFC 6152 section 3),
// and leaves everything else octet for octet as it was.
//
// A part of text becomes quoted-printable, any other base64 (RFC 2045 section 6);
// its Content-Transfer-Encoding follows. A part that was encoded already and is
// still unfit (one base64 line of a megabyte, a stray accent in quoted-printable) is
// wrapped anew in the same encoding. A multipart and a message/rfc822 may not be
// encoded themselves (RFC 2045 section 6.4): their parts are.
//
// It streams. The structure is walked from the front; a part is read once to see
// whether it needs anything and a second time to write it out, so that memory does
// not grow with the message, nor with the number of its parts.
//
// Where a part ends, readers differ on malformed mail; this package follows what
// most do: a delimiter is a whole line (RFC 2046 section 5.1.1), that of an outer
// multipart also ends all inner ones, and a header ends where no field begins.
package recode
