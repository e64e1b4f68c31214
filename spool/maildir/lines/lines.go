// Package lines is the form of the lines in the files of package maildir: each begins with a
// checksum, so that a torn line does not count.
package lines

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"notices/spool"
)

// Checksum is the running checksum of a file, FNV-1a of 64 bits: it needs no table
// at start-up, and torn writes are no adversary.
type Checksum uint64

// Start is the checksum of nothing.
const (
	Start         Checksum = 14695981039346656037
	checksumPrime Checksum = 1099511628211
)

// SumDigits is the length of a checksum in a line.
const SumDigits = 16

// Over adds octets to a checksum.
func (c Checksum) Over(p []byte) Checksum {
	for _, b := range p {
		c = (c ^ Checksum(b)) * checksumPrime
	}
	return c
}

// New is "SUM JSON\n", and the checksum that the next line continues.
func New(c Checksum, v any) ([]byte, Checksum, error) {
	line, err := spool.AppendJSON(append(make([]byte, 0, 512), "0123456789abcdef "...), v)
	if err != nil {
		return nil, c, err
	}
	return line, WriteSum(line, c), nil
}

// WriteSum puts the checksum into the room at the beginning of a line.
func WriteSum(line []byte, c Checksum) Checksum {
	c = c.Over(line[SumDigits:])
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], uint64(c))
	hex.Encode(line, sum[:])
	return c
}

// Next cuts the first line off p and checks it. A line that is torn, is padding, or was
// written behind another line does not count.
func Next(p []byte, c Checksum) (text []byte, rest []byte, next Checksum, ok bool) {
	end := bytes.IndexByte(p, '\n')
	if end < SumDigits+2 {
		return nil, nil, c, false
	}
	next, ok = check(p[:end+1], c)
	if !ok {
		return nil, nil, c, false
	}
	return p[SumDigits+1 : end], p[end+1:], next, true
}

// Text is what a line has behind its checksum. The newline is not part of the line; whoever
// writes such a line leaves it out of the checksum, too.
func Text(line []byte) (text []byte, ok bool) {
	if _, ok = check(line, Start); !ok {
		return nil, false
	}
	return line[SumDigits+1:], true
}

// check compares the checksum at the beginning of a line with the rest of it.
func check(line []byte, c Checksum) (next Checksum, ok bool) {
	var sum [8]byte
	if len(line) <= SumDigits || line[SumDigits] != ' ' {
		return c, false
	}
	if _, err := hex.Decode(sum[:], line[:SumDigits]); err != nil {
		return c, false
	}
	next = c.Over(line[SumDigits:])
	return next, binary.BigEndian.Uint64(sum[:]) == uint64(next)
}
