// Package sidecar is the form of the files beside messages in package maildir: their names,
// which tell a listing what is due, and their lines, which are a message's record. Package
// maildir explains both.
package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/lines"
)

// formatVersion is the "notices" field of the first line. A program that finds a
// higher one must not touch the message.
const formatVersion = 1

// firstLine is the first line of a sidecar.
type firstLine struct {
	Version int `json:"notices"`
	spool.Envelope
}

// errTorn: the envelope cannot be read.
var errTorn = errors.New("the sidecar's first line is torn or not ours")

// parse reads the lines of a sidecar.
func parse(p []byte) (Content, error) {
	text, rest, sum, ok := lines.Next(p, lines.Start)
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
		text, after, next, ok := lines.Next(rest, sum)
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
	Sum    lines.Checksum
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

// New is a new sidecar: the first line, those of the events, and padding. at is where and how a
// further line goes on; it has no Record.
func New(env spool.Envelope, events ...spool.Event) (text []byte, at Content, err error) {
	text, sum, err := lines.New(lines.Start, firstLine{Version: formatVersion, Envelope: env})
	for i := 0; i < len(events) && err == nil; i++ {
		var line []byte
		line, sum, err = lines.New(sum, events[i])
		text = append(text, line...)
	}
	if err == nil && len(text) > MaxSize {
		err = ErrLong
	}
	end := int64(len(text))
	text = padded(text)
	return text, Content{End: end, Sum: sum, Size: int64(len(text))}, err
}

// padded rounds the lines up with newlines, which are no line, so that the
// blocks for the first results are allocated with it.
func padded(line []byte) []byte {
	target := (len(line) + roomBase + BlockSize - 1) / BlockSize * BlockSize
	return append(line, bytes.Repeat([]byte{'\n'}, target-len(line))...)
}
