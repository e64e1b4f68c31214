package maildir

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

// chain is the running checksum of a sidecar, FNV-1a of 64 bits: it needs no table
// at start-up, and torn writes are no adversary.
type checksum uint64

const (
	checksumStart checksum = 14695981039346656037
	checksumPrime checksum = 1099511628211
)

const sumDigits = 16

func (c checksum) over(p []byte) checksum {
	for _, b := range p {
		c = (c ^ checksum(b)) * checksumPrime
	}
	return c
}

// newLine is "SUM JSON\n", and the checksum that the next line continues.
func newLine(c checksum, v any) ([]byte, checksum, error) {
	line, err := spool.AppendJSON(append(make([]byte, 0, 512), "0123456789abcdef "...), v)
	if err != nil {
		return nil, c, err
	}
	return line, writeSum(line, c), nil
}

// writeSum puts the checksum into the room at the beginning of a line.
func writeSum(line []byte, c checksum) checksum {
	c = c.over(line[sumDigits:])
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], uint64(c))
	hex.Encode(line, sum[:])
	return c
}

// nextLine cuts the first line off p and checks it. A line that is torn, padding,
// or written behind another line is none.
func nextLine(p []byte, c checksum) (text []byte, rest []byte, next checksum, ok bool) {
	end := bytes.IndexByte(p, '\n')
	if end < sumDigits+2 || p[sumDigits] != ' ' {
		return nil, nil, c, false
	}
	var sum [8]byte
	if _, err := hex.Decode(sum[:], p[:sumDigits]); err != nil {
		return nil, nil, c, false
	}
	next = c.over(p[sumDigits : end+1])
	if binary.BigEndian.Uint64(sum[:]) != uint64(next) {
		return nil, nil, c, false
	}
	return p[sumDigits+1 : end], p[end+1:], next, true
}

// errTorn: the envelope cannot be read.
var errTorn = errors.New("the sidecar's first line is torn or not ours")

// parseSidecar folds the lines of a sidecar. end is where the next line goes.
func parseSidecar(p []byte) (r *spool.Record, end int64, c checksum, err error) {
	text, rest, c, ok := nextLine(p, checksumStart)
	if !ok {
		return nil, 0, 0, errTorn
	}
	var first firstLine
	if err := json.Unmarshal(text, &first); err != nil {
		return nil, 0, 0, fmt.Errorf("%w: %w", errTorn, err)
	}
	if first.Version < 1 || first.Version > formatVersion {
		return nil, 0, 0, fmt.Errorf("sidecar of format %d; this program knows %d", first.Version, formatVersion)
	}
	r = spool.NewRecord(first.Envelope)
	for {
		text, after, next, ok := nextLine(rest, c)
		var e spool.Event
		if !ok || json.Unmarshal(text, &e) != nil {
			return r, int64(len(p) - len(rest)), c, nil
		}
		r.Apply(e)
		rest, c = after, next
	}
}

// maxSidecar bounds what is written, and so what is read into memory. What a message of
// spool.MaxRecipients can come to stays below half of it: the envelope (36 MiB), a delivery or
// a failure of each recipient in words of its own (60 MiB), and in each of 160 attempts
// deferralRoom (1 MiB).
const maxSidecar = 512 << 20

// content is what a sidecar says.
type content struct {
	rec  *spool.Record
	end  int64 // where the next line goes
	sum  checksum
	room int64 // octets that are known to be there; the file may be longer
}

// readSidecar reads and folds an open sidecar. The first block is enough for almost
// every one: what comes behind padding does not count.
func readSidecar(f fsys.File) (content, error) {
	p := blocks.Get().(*[]byte)
	defer blocks.Put(p)
	first := (*p)[:blockSize]
	n, err := f.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return content{}, err
	}
	got := content{room: int64(n)}
	got.rec, got.end, got.sum, err = parseSidecar(first[:n])
	if n < len(first) || err == nil && got.end < got.room && isPadding(first[got.end]) {
		return got, err
	}
	whole, err := readWhole(f)
	if err != nil {
		return content{}, err
	}
	got.room = int64(len(whole))
	got.rec, got.end, got.sum, err = parseSidecar(whole)
	return got, err
}

// blocks are for reading sidecars: a list reads as many as there are messages, and
// nothing of them is kept. There is one more than is mostly wanted, see measureSidecar.
var blocks = sync.Pool{New: func() any {
	p := make([]byte, 2*blockSize)
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
	p := make([]byte, min(st.Size, maxSidecar))
	n, err := f.ReadAt(p, 0)
	if err == io.EOF {
		err = nil
	}
	return p[:n], err
}

const blockSize = 4096

// Room for results beside the envelope: about a reply for the message and a short one
// for each recipient. Up to a block it is written at enqueue, where it costs nothing.
const (
	roomBase         = 1024
	roomPerRecipient = 256
)

func roomFor(recipients int) int64 { return roomBase + roomPerRecipient*int64(recipients) }

// padded rounds the first line up with newlines, which are no line, so that the
// blocks for the first results are allocated with it.
func padded(line []byte) []byte {
	target := (len(line) + roomBase + blockSize - 1) / blockSize * blockSize
	return append(line, bytes.Repeat([]byte{'\n'}, target-len(line))...)
}
