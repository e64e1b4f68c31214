package maildir

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

const (
	notesName = importDir + "/notes"
	notesNew  = importDir + "/notes.new"
)

// notedMessage is a line of the notes: a checksum as in a sidecar, the note in
// hexadecimal, when the message was queued in unix seconds, and its id.
type notedMessage struct {
	note spool.Note
	at   int64
	id   spool.ID
}

func (n notedMessage) append(b []byte) []byte {
	start := len(b)
	b = append(b, "0123456789abcdef "...)
	b = hex.AppendEncode(b, n.note[:])
	b = append(b, ' ')
	b = strconv.AppendInt(b, n.at, 10)
	b = append(b, ' ')
	b = append(b, n.id...)
	b = append(b, '\n')
	writeSum(b[start:], chainStart)
	return b
}

// parseNoted reads a line; false: it is torn.
func parseNoted(line []byte) (n notedMessage, ok bool) {
	text, _, _, ok := nextLine(line, chainStart)
	if !ok {
		return n, false
	}
	fields := bytes.Split(text, []byte(" "))
	if len(fields) != 3 || len(fields[0]) != 2*len(n.note) {
		return n, false
	}
	_, bad := hex.Decode(n.note[:], fields[0])
	at, bad2 := strconv.ParseInt(string(fields[1]), 10, 64)
	n.at, n.id = at, spool.ID(fields[2])
	return n, bad == nil && bad2 == nil && n.id.Valid()
}

// fate is what becomes of a note when the file is opened.
type fate int

const (
	good    fate = iota
	expired      // it goes when the file is written anew
	struck       // it has to go now
)

// notesFile is import/notes: lines are added at its end.
type notesFile struct {
	fs   fsys.FS
	file fsys.File
	size int64
}

// open reads the file and asks of each note what becomes of it. The file is written
// anew if it has to be, or if that makes it half as long.
func (f *notesFile) open(ctx context.Context, judge func(notedMessage) fate) error {
	var count [3]int
	torn := 0
	err := f.each(ctx, func(line []byte) error {
		if n, ok := parseNoted(line); ok {
			count[judge(n)]++
		} else {
			torn++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count[struck]+torn > 0 || count[expired] > count[good] {
		if err := f.rewrite(ctx, judge); err != nil {
			return err
		}
	}
	if f.file != nil {
		return nil
	}
	// Empty: nothing is lost if this file is, until a note is added.
	f.file, err = f.fs.Open(notesName, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err == nil {
		err = f.fs.SyncDir(importDir)
	}
	return err
}

// each reads the file line by line; one that is too long to be ours in pieces.
func (f *notesFile) each(ctx context.Context, do func(line []byte) error) error {
	if f.file == nil {
		file, err := f.fs.Open(notesName, unix.O_RDWR, 0)
		if err != nil {
			return ignoreMissing(err)
		}
		f.file = file
		st, err := file.Stat()
		if err != nil {
			return err
		}
		f.size = st.Size
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f.file, 0, f.size), 1<<16)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			if err := do(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// rewrite replaces the file by one with only the good notes.
func (f *notesFile) rewrite(ctx context.Context, judge func(notedMessage) fate) error {
	anew, err := f.fs.Open(notesNew, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	buf, size := make([]byte, 0, 1<<17), int64(0)
	flush := func() error {
		_, err := anew.WriteAt(buf, size)
		size += int64(len(buf))
		buf = buf[:0]
		return err
	}
	err = f.each(ctx, func(line []byte) error {
		if n, ok := parseNoted(line); ok && judge(n) == good {
			buf = append(buf, line...)
		}
		if len(buf) < 1<<16 {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = anew.Sync()
	}
	if err == nil {
		err = f.fs.Replace(notesNew, notesName)
	}
	if err == nil {
		err = f.fs.SyncDir(importDir)
	}
	if err != nil {
		anew.Close()
		return err
	}
	old := f.file
	f.file, f.size = anew, size
	return old.Close()
}

// add appends lines; the caller syncs.
func (f *notesFile) add(lines []notedMessage) error {
	var b []byte
	for _, n := range lines {
		b = n.append(b)
	}
	if _, err := f.file.WriteAt(b, f.size); err != nil {
		return err
	}
	f.size += int64(len(b))
	return nil
}

// truncate takes back what was added behind size.
func (f *notesFile) truncate(size int64) error {
	if err := f.file.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return f.file.Sync()
}

func (f *notesFile) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
