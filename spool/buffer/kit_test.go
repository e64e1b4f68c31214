package buffer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
)

var start = time.Unix(1_790_000_000, 0).UTC()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onDisk(t *testing.T, process *simfs.Process) *maildir.Store {
	t.Helper()
	s, err := maildir.Open("/spool", maildir.Options{FS: process, NoHistory: true})
	must(t, err)
	return s
}

// always opens the same store.
func always(to buffer.Target) func(context.Context) (buffer.Target, error) {
	return func(context.Context) (buffer.Target, error) { return to, nil }
}

func never(why error) func(context.Context) (buffer.Target, error) {
	return func(context.Context) (buffer.Target, error) { return nil, why }
}

// handIn queues a message of that many octets.
func handIn(s buffer.Target, id spool.ID, octets int) error {
	d, err := s.New(context.Background(), id)
	if err != nil {
		return err
	}
	text := body(id, octets)
	for rest := text; len(rest) > 0 && err == nil; {
		n := min(len(rest), 30_000)
		_, err = d.Write(rest[:n])
		rest = rest[n:]
	}
	if got := make([]byte, octets); err == nil && octets > 0 {
		if _, err = d.ReadAt(got, 0); err == nil && !bytes.Equal(got, text) {
			err = errors.New("the draft has another text")
		}
	}
	if err == nil {
		err = d.Seal(spool.Envelope{ID: id, Sender: "library@example.org", Recipients: []string{"ann@example.net"}, QueuedAt: start, MessageID: "<" + string(id) + "@example.org>"})
	}
	if err == nil {
		_, err = s.Commit(context.Background(), d)
	}
	return errors.Join(err, d.Abort())
}

func body(id spool.ID, octets int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%-16s", id)), octets/16+1)[:octets]
}

// deliver takes all messages out of a store, as a flush that sends them does, and counts them.
func deliver(t *testing.T, s spool.Store, sent map[spool.ID]int) {
	t.Helper()
	var all []spool.Entry
	must(t, s.Scan(t.Context(), func(e spool.Entry) bool { all = append(all, e); return true }))
	for _, e := range all {
		c, err := s.Claim(t.Context(), e)
		must(t, err)
		got := make([]byte, c.Body().Size())
		if _, err := c.Body().ReadAt(got, 0); len(got) > 0 && err != nil || !bytes.Equal(got, body(e.ID, len(got))) {
			t.Fatalf("%s: its text changed: %v", e.ID, err)
		}
		sent[e.ID]++
		last := spool.Event{Kind: spool.Result, At: start.Add(time.Minute), N: 1, Results: []spool.Answer{{Outcome: spool.Outcome{Class: spool.Delivered}, To: []int{0}}}}
		must(t, c.Begin(spool.Event{Kind: spool.Try, At: start.Add(time.Minute), N: 1, Next: start.Add(time.Hour)}))
		must(t, c.Remove(last, spool.Now))
	}
}

func ids(t *testing.T, s spool.Store) (list []spool.ID) {
	t.Helper()
	must(t, s.Scan(t.Context(), func(e spool.Entry) bool { list = append(list, e.ID); return true }))
	return list
}

func noneStays(t *testing.T) func(spool.ID, error) {
	return func(id spool.ID, err error) { t.Errorf("%s stays: %v", id, err) }
}

var errAway = fmt.Errorf("%w: connection refused", spool.ErrUnreachable)
