package intake

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

var (
	now  = time.Date(2026, 11, 24, 9, 30, 0, 500, time.FixedZone("", 3600))
	site = Site{Name: "Springfield Public Library", Address: "library@example.org", FindHostname: hostname}
)

// watched is a store that knows what became of its drafts.
type watched struct {
	spool.Store
	open, made, writes int
}

type watchedDraft struct {
	spool.Draft
	s    *watched
	over bool
}

func (w *watched) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	d, err := w.Store.New(ctx, id)
	if err != nil {
		return nil, err
	}
	w.open++
	w.made++
	return &watchedDraft{Draft: d, s: w}, nil
}

func (w *watched) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	var inner []spool.Draft
	for _, d := range drafts {
		inner = append(inner, d.(*watchedDraft).Draft)
		d.(*watchedDraft).end()
	}
	return w.Store.Commit(ctx, inner...)
}

func (d *watchedDraft) Write(p []byte) (int, error) {
	d.s.writes++
	return d.Draft.Write(p)
}

func (d *watchedDraft) Abort() error {
	d.end()
	return d.Draft.Abort()
}

func (d *watchedDraft) end() {
	if !d.over {
		d.s.open--
	}
	d.over = true
}

// desk is an intake with its store.
type desk struct {
	*Intake
	store *watched
}

func newDesk(s Site) *desk {
	store := &watched{Store: maildirtest.New()}
	return &desk{&Intake{Store: store, Site: s, Now: func() time.Time { return now }}, store}
}

// queued is a message as it is in the store.
type queued struct {
	spool.Envelope
	text string
}

// header and body, without the empty line.
func (q queued) parts() (header, body string) {
	header, body, _ = strings.Cut(q.text, "\r\n\r\n")
	return header + "\r\n", body
}

func (d *desk) accept(r Request) (queued, error) {
	id, err := d.Accept(context.Background(), r)
	if err != nil {
		return queued{}, err
	}
	e, err := spool.FindOne(context.Background(), d.store, id)
	if err != nil {
		return queued{}, err
	}
	record, body, err := d.store.Peek(context.Background(), e)
	if err != nil {
		return queued{}, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	return queued{record.Envelope, string(text)}, err
}

// must queues a message that has to be good.
func (d *desk) must(t testing.TB, r Request) queued {
	t.Helper()
	q, err := d.accept(r)
	if err != nil {
		t.Fatal(err)
	}
	if q.Size != int64(len(q.text)) {
		t.Errorf("the envelope says %d octets, there are %d", q.Size, len(q.text))
	}
	return q
}

// refused queues a message that has to be refused, and nothing may be left of it.
func (d *desk) refused(t testing.TB, r Request) *Error {
	t.Helper()
	q, err := d.accept(r)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal; stored %q", err, q.text)
	}
	d.empty(t)
	return e
}

func (d *desk) empty(t testing.TB) {
	t.Helper()
	if d.store.open != 0 {
		t.Errorf("%d drafts are left open", d.store.open)
	}
	d.store.Scan(context.Background(), func(e spool.Entry) bool {
		t.Errorf("%s is queued", e.ID)
		return true
	})
}

// plain queues a text to patron@example.net with nothing special about it.
func plain(text string) Request {
	return Request{Body: strings.NewReader(text), Recipients: []string{"patron@example.net"}}
}

func pointer(s string) *string { return &s }

// crlf is text with line ends as a stored message has them.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func hostname() string { return "desk.example.org" }
