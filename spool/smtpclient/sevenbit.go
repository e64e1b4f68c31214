package smtpclient

import (
	"errors"
	"io"

	"notices/spool/recode"
)

// recode writes the message with its 8-bit parts re-encoded, for a server without
// 8BITMIME (RFC 6152 3: such a server must not be sent 8-bit content, whatever it may
// tolerate).
func (b *body) recode(w io.Writer) error {
	return recode.Recode(w, b.message, b.size, recode.Options{SevenBit: true})
}

// unchangeable reports whether re-encoding would break a signature. Postfix breaks
// it then, Exim sends 8 bits all the same; here the server cannot take the message
// and the next one is asked. A header in 8 bits, which sloppy programs write, is
// sent as it is, as both of them do, and the parts below it re-encoded: readers cope, and
// returning every such notice would help nobody.
func unchangeable(err error) bool { return errors.Is(err, recode.ErrSigned) }
