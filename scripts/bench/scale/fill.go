//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"notices/spool"
)

// filling describes the content of a spool.
type filling struct {
	messages   int
	recipients int
	size       int       // octets of a message
	next       time.Time // next send
	tried      bool      // deferred once, else never tried
	hollow     bool      // empty files, for rows that open none
	first      int       // the number of the first message
}

// fill writes messages into a new spool, in the layout of notices-spool(5), without syncs.
// A million messages queued by the program would take an hour.
func fill(dir string, f filling) error {
	for _, sub := range []string{"tmp", "cur", "failed", "aside", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	if err := writeMessage(&text, f.size); err != nil {
		return err
	}
	body := text.Bytes()
	f.size = len(body)
	workers := runtime.NumCPU()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < f.messages && errs[w] == nil; i += workers {
				errs[w] = f.message(filepath.Join(dir, "cur"), i, body)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// writeMessage writes a message of about size octets.
func writeMessage(w io.Writer, size int) error {
	n, err := io.WriteString(w, "From: library@example.org\r\nTo: patron@example.net\r\nSubject: overdue\r\nMessage-ID: <1@example.org>\r\n\r\n")
	for line := strings.Repeat("Please bring it back. ", 3) + "\r\n"; n < size && err == nil; n += len(line) {
		_, err = io.WriteString(w, line)
	}
	return err
}

func (f *filling) message(cur string, i int, body []byte) error {
	id := spool.ID(fmt.Sprintf("1K10%012X", i))
	var side []byte
	if f.hollow {
		body = nil
	} else if s, err := f.sidecar(id, i); err == nil {
		side = s
	} else {
		return err
	}
	if err := os.WriteFile(filepath.Join(cur, string(id)), body, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(cur, fmt.Sprintf(".%s,%010d,q", id, f.next.Unix())), side, 0o600)
}

// record is message i, counted from 0: its envelope, and an attempt if there was one.
func (f *filling) record(id spool.ID, i int) (spool.Envelope, []spool.Event) {
	now := time.Now().UTC().Truncate(time.Second)
	queued := min(now.Unix(), f.next.Unix())
	env := spool.Envelope{ID: id, Sender: "library@example.org", QueuedAt: time.Unix(queued, 0).UTC(), Size: int64(f.size), MessageID: "<" + string(id) + "@example.org>"}
	for k := range f.recipients {
		env.Recipients = append(env.Recipients, fmt.Sprintf("patron%d@example.net", i*f.recipients+k))
	}
	if !f.tried {
		return env, nil
	}
	busy := spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: 451, Enhanced: "4.3.0", Text: "try again later", At: now}}
	return env, []spool.Event{
		{Kind: spool.Try, At: now, N: 1, Next: f.next},
		{Kind: spool.Result, At: now, N: 1, Next: f.next, Results: []spool.Answer{{Outcome: busy, To: []int{0}}}},
	}
}

// sidecar returns the record as a file has it, and the reserved room.
func (f *filling) sidecar(id spool.ID, i int) ([]byte, error) {
	env, events := f.record(id, i)
	lines := []any{struct {
		Version int `json:"notices"`
		spool.Envelope
	}{1, env}}
	for _, e := range events {
		lines = append(lines, e)
	}
	var side bytes.Buffer
	sum := fnv.New64a()
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			return nil, err
		}
		text = append(append([]byte(" "), text...), '\n')
		_, _ = sum.Write(text)
		digits := binary.BigEndian.AppendUint64(nil, sum.Sum64())
		side.WriteString(hex.EncodeToString(digits))
		side.Write(text)
	}
	const block = 4096
	room := (side.Len()+1024+block-1)/block*block - side.Len()
	side.Write(bytes.Repeat([]byte("\n"), room))
	return side.Bytes(), nil
}
