package history

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// start is when everything begins.
var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func minutes(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

// fake is a spool in memory: messages, and the entries of those that left it.
type fake struct {
	records map[spool.ID]*spool.Record
	moves   map[spool.ID]int // how often the file of a message was renamed
	entries []spool.HistoryEntry
	damaged []spool.Anomaly
	// before is called before each call.
	before func(method string)
	// renamed are messages that the next listing or look-up lacks: their files are renamed meanwhile.
	renamed map[spool.ID]bool
}

func newFake(list ...*spool.Record) *fake {
	f := &fake{records: map[spool.ID]*spool.Record{}, moves: map[spool.ID]int{}, before: func(string) {}}
	for _, r := range list {
		f.records[r.Envelope.ID] = r
	}
	return f
}

// leaves takes a message out of the queue.
func (f *fake) leaves(id spool.ID, now time.Time) {
	f.entries = append(f.entries, f.records[id].Endings(spool.Event{}, now)...)
	delete(f.records, id)
}

func (f *fake) entryOf(r *spool.Record) spool.Entry {
	state := spool.StateQueued
	if r.GivenUp {
		state = spool.StateFailed
	}
	return spool.Entry{ID: r.Envelope.ID, State: state, Next: time.Unix(int64(f.moves[r.Envelope.ID]), 0)}
}

func (f *fake) scan(failed bool, yield func(spool.Entry) bool) error {
	renamed := f.renamed
	f.renamed = nil
	for _, r := range f.records {
		if !renamed[r.Envelope.ID] && r.GivenUp == failed && !yield(f.entryOf(r)) {
			break
		}
	}
	return nil
}

func (f *fake) Scan(_ context.Context, yield func(spool.Entry) bool) error {
	return f.scan(false, yield)
}

func (f *fake) ScanFailed(_ context.Context, yield func(spool.Entry) bool) error {
	err := f.scan(true, yield)
	f.before("after listing")
	return err
}

func (f *fake) Find(_ context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	f.before("Find")
	found := map[spool.ID]spool.Entry{}
	renamed := f.renamed
	f.renamed = nil
	for _, id := range ids {
		if r := f.records[id]; r != nil && !renamed[id] {
			found[id] = f.entryOf(r)
		}
	}
	return found, nil
}

func (f *fake) Peek(_ context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	r := f.records[e.ID]
	if r == nil || e != f.entryOf(r) {
		return nil, nil, spool.ErrGone
	}
	if r.LastError == "unreadable" {
		return nil, nil, fmt.Errorf("%s: %w", e.ID, spool.ErrUnusable)
	}
	return r, noBody{}, nil
}

func (f *fake) History(_ context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	f.before("History")
	entries := slices.Clone(f.entries)
	slices.SortStableFunc(entries, func(a, b spool.HistoryEntry) int { return spool.CompareHistory(&a, &b) })
	for i := range entries {
		e := entries[i]
		superseded := i+1 < len(entries) && entries[i+1].ID == e.ID && entries[i+1].Index == e.Index
		if !superseded && q.Chooses(&e) && !yield(&e) {
			break
		}
	}
	return f.damaged, nil
}

type noBody struct{ io.ReaderAt }

func (noBody) Size() int64   { return 0 }
func (noBody) Stored() int64 { return 0 }
func (noBody) Close() error  { return nil }

// queued is a message that was queued so many minutes after the start.
func queued(id spool.ID, at int, recipients ...string) *spool.Record {
	return spool.NewRecord(spool.Envelope{ID: id, Sender: "desk@example.org", Recipients: recipients, QueuedAt: minutes(at), Ref: "ref-" + string(id)})
}

// try gives a message an attempt with an answer for some recipients.
func try(r *spool.Record, at int, o spool.Outcome, to ...int) {
	n := r.Attempts + 1
	o.Reply.At = minutes(at)
	r.Apply(spool.Event{Kind: spool.Try, At: minutes(at), N: n, Next: minutes(at + 5)})
	r.Apply(spool.Event{Kind: spool.Result, At: minutes(at), N: n, Next: minutes(at + 5), Results: []spool.Answer{{Outcome: o, To: to}}})
}

var (
	accepted = spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued"}}
	full     = spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: 452, Enhanced: "4.2.2", Text: "over quota"}}
	unknown  = spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Server: "2", Host: "mail2.example.org", Code: 550, Enhanced: "5.1.1", Text: "no such user"}}
)

// rows searches, and writes each row as "ID address outcome".
func (f *fake) rows(t *testing.T, q spool.HistoryQuery) []string {
	t.Helper()
	var found []string
	if _, err := Search(context.Background(), f, q, func(r *Row) bool {
		found = append(found, fmt.Sprintf("%s %s %s", r.ID, r.Recipient[:strings.IndexByte(r.Recipient, '@')], r.Outcome))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
