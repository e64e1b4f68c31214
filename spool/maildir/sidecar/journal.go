package sidecar

import (
	"bytes"
	"encoding/hex"
	"strconv"

	"notices/spool"
)

// JournalLine is a line of import/DAY: a checksum as in a sidecar, the key in hexadecimal,
// when that was in unix seconds, and its id.
type JournalLine struct {
	Key spool.ImportKey
	At  int64
	ID  spool.ID
}

// Append appends the line.
func (l JournalLine) Append(b []byte) []byte {
	start := len(b)
	b = append(b, "0123456789abcdef "...)
	b = hex.AppendEncode(b, l.Key[:])
	b = append(b, ' ')
	b = strconv.AppendInt(b, l.At, 10)
	b = append(b, ' ')
	b = append(b, l.ID...)
	b = append(b, '\n')
	WriteSum(b[start:], Start)
	return b
}

// ParseJournalLine reads a line; false: it is torn.
func ParseJournalLine(line []byte) (l JournalLine, ok bool) {
	text, _, _, ok := NextLine(line, Start)
	key, rest, _ := bytes.Cut(text, []byte(" "))
	at, id, _ := bytes.Cut(rest, []byte(" "))
	if !ok || l.Key.UnmarshalText(key) != nil || !spool.ID(id).Valid() {
		return l, false
	}
	seconds, err := strconv.ParseInt(string(at), 10, 64)
	l.At, l.ID = seconds, spool.ID(id)
	return l, err == nil
}
