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

// Damaged calls yield with the number, from 0, of each line of p that has something in it, and a
// wrong checksum. What is behind the last newline is a line.
func Damaged(p []byte, yield func(number int)) {
	var four [4][]byte
	var numbers [4]int
	n := 0
	for number := 0; len(p) > 0; number++ {
		var line []byte
		if line, p, _ = bytes.Cut(p, []byte("\n")); len(line) == 0 {
			continue
		}
		four[n], numbers[n] = line, number
		if n++; n < len(four) {
			continue
		}
		n = 0
		for i, ok := range checkFour(&four) {
			if !ok {
				yield(numbers[i])
			}
		}
	}
	for i := range n {
		if _, ok := check(four[i], Start); !ok {
			yield(numbers[i])
		}
	}
}

// checkFour checks lines side by side. In a sum each octet waits for the one before it, so that
// four sums take little longer than one.
func checkFour(four *[4][]byte) (ok [4]bool) {
	n := len(four[0])
	for _, line := range four {
		n = min(n, len(line))
	}
	if n <= SumDigits {
		for i, line := range four {
			_, ok[i] = check(line, Start)
		}
		return ok
	}
	a, b, c, d := Start, Start, Start, Start
	p, q, r, s := four[0][SumDigits:n], four[1][SumDigits:n], four[2][SumDigits:n], four[3][SumDigits:n]
	for i := range p {
		a = (a ^ Checksum(p[i])) * checksumPrime
		b = (b ^ Checksum(q[i])) * checksumPrime
		c = (c ^ Checksum(r[i])) * checksumPrime
		d = (d ^ Checksum(s[i])) * checksumPrime
	}
	for i, sum := range [...]Checksum{a, b, c, d} {
		ok[i] = hasSum(four[i], sum.Over(four[i][n:]))
	}
	return ok
}

// check compares the checksum at the beginning of a line with the rest of it.
func check(line []byte, c Checksum) (next Checksum, ok bool) {
	if len(line) <= SumDigits {
		return c, false
	}
	next = c.Over(line[SumDigits:])
	return next, hasSum(line, next)
}

// hasSum reports whether that sum stands at the beginning of a line.
func hasSum(line []byte, sum Checksum) bool {
	var b [8]byte
	_, err := hex.Decode(b[:], line[:SumDigits])
	return err == nil && line[SumDigits] == ' ' && binary.BigEndian.Uint64(b[:]) == uint64(sum)
}
