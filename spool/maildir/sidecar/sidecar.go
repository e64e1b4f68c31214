// Package sidecar is the form of the files beside messages in package maildir: their names,
// which tell a listing what is due, and their lines, which are a message's record. Package
// maildir explains both.
package sidecar

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// formatVersion is the "notices" field of the first line. A program that finds a
// higher one must not touch the message.
const formatVersion = 1

// firstLine is the first line of a sidecar.
type firstLine struct {
	Version int `json:"notices"`
	spool.Envelope
}

// Checksum is the running checksum of a sidecar, FNV-1a of 64 bits: it needs no table
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

// NewLine is "SUM JSON\n", and the checksum that the next line continues.
func NewLine(c Checksum, v any) ([]byte, Checksum, error) {
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

// NextLine cuts the first line off p and checks it. A line that is torn, is padding, or was
// written behind another line does not count.
func NextLine(p []byte, c Checksum) (text []byte, rest []byte, next Checksum, ok bool) {
	end := bytes.IndexByte(p, '\n')
	if end < SumDigits+2 || p[SumDigits] != ' ' {
		return nil, nil, c, false
	}
	var sum [8]byte
	if _, err := hex.Decode(sum[:], p[:SumDigits]); err != nil {
		return nil, nil, c, false
	}
	next = c.Over(p[SumDigits : end+1])
	if binary.BigEndian.Uint64(sum[:]) != uint64(next) {
		return nil, nil, c, false
	}
	return p[SumDigits+1 : end], p[end+1:], next, true
}

// errTorn: the envelope cannot be read.
var errTorn = errors.New("the sidecar's first line is torn or not ours")

// parse reads the lines of a sidecar.
func parse(p []byte) (Content, error) {
	text, rest, sum, ok := NextLine(p, Start)
	if !ok {
		return Content{}, errTorn
	}
	var first firstLine
	if err := json.Unmarshal(text, &first); err != nil {
		return Content{}, fmt.Errorf("%w: %w", errTorn, err)
	}
	if first.Version < 1 || first.Version > formatVersion {
		return Content{}, fmt.Errorf("sidecar of format %d; this program knows %d", first.Version, formatVersion)
	}
	r := spool.NewRecord(first.Envelope)
	for {
		text, after, next, ok := NextLine(rest, sum)
		var e spool.Event
		if !ok || json.Unmarshal(text, &e) != nil {
			size := int64(len(p))
			return Content{Record: r, End: size - int64(len(rest)), Sum: sum, Size: size}, nil
		}
		r.Apply(e)
		rest, sum = after, next
	}
}

// MaxSize bounds what is written, and so what is read into memory. What a message of
// spool.MaxRecipients can come to stays below half of it: the envelope (36 MiB), a delivery or
// a failure of each recipient in words of its own (60 MiB), and in each of 160 attempts
// deferralRoom (1 MiB).
const MaxSize = 512 << 20

// Content is what a sidecar says.
type Content struct {
	Record *spool.Record
	End    int64 // where the next line goes
	Sum    Checksum
	Size   int64 // of the file, in octets
}

// Read reads an open sidecar, most with one call: what comes behind padding does not count,
// and by asking for more than most have, it learns their size.
func Read(f fsys.File) (Content, error) {
	p := blocks.Get().(*[]byte)
	defer blocks.Put(p)
	n, err := f.ReadOnce(*p, 0)
	if err != nil {
		return Content{}, err
	}
	got, err := parse((*p)[:n])
	if err == nil && n < len(*p) && got.End < got.Size && isPadding((*p)[got.End]) {
		return got, nil
	}
	whole, err := readWhole(f)
	if err != nil {
		return Content{}, err
	}
	return parse(whole)
}

// blocks are for reading sidecars: a list reads as many as there are messages, and
// nothing of them is kept.
var blocks = sync.Pool{New: func() any {
	p := make([]byte, 2*BlockSize)
	return &p
}}

// isPadding tells what ends the lines: room that was written as newlines, or that
// Allocate added.
func isPadding(b byte) bool { return b == '\n' || b == 0 }

// readWhole reads a sidecar of more than a block.
func readWhole(f fsys.File) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := make([]byte, min(st.Size, MaxSize))
	n, err := f.ReadAt(p, 0)
	if err == io.EOF {
		err = nil
	}
	return p[:n], err
}

// BlockSize is what files grow by.
const BlockSize = 4096

// Room for results beside the envelope: about a reply for the message and a short one
// for each recipient. Up to a block it is written at enqueue, where it costs nothing.
const (
	roomBase         = 1024
	roomPerRecipient = 256
)

// RoomFor is the room for the results of an attempt, in octets.
func RoomFor(recipients int) int64 { return roomBase + roomPerRecipient*int64(recipients) }

// First is the first line, padded.
func First(env spool.Envelope) ([]byte, error) {
	line, _, err := NewLine(Start, firstLine{Version: formatVersion, Envelope: env})
	return padded(line), err
}

// padded rounds the first line up with newlines, which are no line, so that the
// blocks for the first results are allocated with it.
func padded(line []byte) []byte {
	target := (len(line) + roomBase + BlockSize - 1) / BlockSize * BlockSize
	return append(line, bytes.Repeat([]byte{'\n'}, target-len(line))...)
}
