package imports

import (
	"bytes"
	"encoding/hex"
	"strconv"

	"notices/spool"
	"notices/spool/maildir/lines"
)

// Line is a line of import/DAY: a checksum as in a sidecar, the import keys of a
// message in hexadecimal with commas between, the time in unix seconds, and the id. All keys
// are in one line, so that a torn file has all of a message's keys or none.
type Line struct {
	Keys []spool.ImportKey
	At   int64
	ID   spool.ID
}

// Append appends the line.
func (l Line) Append(b []byte) []byte {
	start := len(b)
	b = append(b, "0123456789abcdef"...)
	separator := byte(' ')
	for _, key := range l.Keys {
		b = hex.AppendEncode(append(b, separator), key[:])
		separator = ','
	}
	b = strconv.AppendInt(append(b, ' '), l.At, 10)
	b = append(b, ' ')
	b = append(b, l.ID...)
	b = append(b, '\n')
	lines.WriteSum(b[start:], lines.Start)
	return b
}

// Parse reads a line, in place of what was read before; false: it is torn.
func (l *Line) Parse(line []byte) bool {
	text, _, _, ok := lines.Next(line, lines.Start)
	keys, rest, _ := bytes.Cut(text, []byte(" "))
	at, id, _ := bytes.Cut(rest, []byte(" "))
	if !ok || !spool.ID(id).Valid() {
		return false
	}
	l.Keys = l.Keys[:0]
	for text := range bytes.SplitSeq(keys, []byte(",")) {
		var key spool.ImportKey
		if key.UnmarshalText(text) != nil {
			return false
		}
		l.Keys = append(l.Keys, key)
	}
	seconds, err := strconv.ParseInt(string(at), 10, 64)
	l.At, l.ID = seconds, spool.ID(id)
	return err == nil
}
