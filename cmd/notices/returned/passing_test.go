package returned

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"notices/cmd/notices/fakesite"
	"notices/config"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/returns"
	"notices/spool/service"
)

// host is a service with a site, whose mail was delivered.
type host struct {
	*fakesite.Site
	passing *passing
}

func newHost(t *testing.T) *host {
	w := fakesite.New(t)
	register := &service.Register{State: w.Store.State(), Now: w.Program.Now}
	now := w.Now
	w.Now = now.Add(-24 * time.Hour) // mail is queued after that
	_, err := register.Add(t.Context(), "east", "East Branch", "desk@east.example")
	w.Check(err)
	w.Now = now
	log, err := w.Program.LogOptions(&config.Config{}).Open()
	w.Check(err)
	return &host{w, &passing{p: w.Program, store: w.Store, log: log, site: bounce.Site{Name: "The Service", Hostname: "submit.service.example"}}}
}

// sent notes that a message of the site was delivered to its recipients.
func (h *host) sent(id spool.ID, site, sender string, form spool.Form, recipients ...string) {
	h.T.Helper()
	for i, to := range recipients {
		h.Check(h.Store.AddHistory(context.Background(), spool.HistoryEntry{
			ID: id, Index: i, QueuedAt: h.Now.Add(-time.Hour), EndedAt: h.Now.Add(-time.Hour), Sender: sender, Recipient: to, Ref: "patron-1",
			Site: site, MessageID: "<1@east.example>", Form: form, Attempts: 1, Ending: spool.EndedDelivered,
			Last: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Code: 250, At: h.Now.Add(-time.Hour)}},
		}))
	}
}

// late is a return by another server to the envelope sender of a message.
func late(id spool.ID, failed ...string) string {
	text := "From: MAILER-DAEMON@mx.example.net\r\nTo: noreply+" + string(id) + "@service.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n"
	for _, to := range failed {
		text += "\r\nFinal-Recipient: rfc822; " + to + "\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\r\n"
	}
	return text + "\r\n--b--\r\n"
}

func (h *host) read(texts ...string) error {
	h.T.Helper()
	m := returns.NewMatcher(h.Store, h.Program.Now)
	m.Queue, m.Before = h.Store, h.passing.bounces
	for _, text := range texts {
		r, err := returns.Parse(strings.NewReader(text))
		h.Check(err)
		m.Add(r)
	}
	_, _, err := m.Settle(context.Background())
	return err
}

// queued are the messages in the queue, by id.
func (h *host) queued() map[spool.ID]spool.Entry {
	all := map[spool.ID]spool.Entry{}
	h.Check(h.Store.Scan(context.Background(), func(e spool.Entry) bool { all[e.ID] = e; return true }))
	return all
}

// TestPassedOn: a late bounce of a site's message goes to the site, once, as a return.
func TestPassedOn(t *testing.T) {
	h := newHost(t)
	const id = "1K0WSE1DCR0RRWKC"
	h.sent(id, "east", "noreply+"+id+"@service.example", spool.Ordinary, "ann@example.net", "bob@example.net", "eve@example.net")
	h.Check(h.read(late(id, "bob@example.net", "eve@example.net"), late(id, "bob@example.net")))
	all := h.queued()
	e, ok := all[id+".b1"]
	if !ok || len(all) != 1 {
		t.Fatalf("queued: %v", all)
	}
	record, body, err := h.Store.Peek(t.Context(), e)
	h.Check(err)
	text, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	h.Check(err)
	env := record.Envelope
	if env.Sender != "" || env.Form != spool.Report || env.Site != "east" || env.Ref != "patron-1" || len(env.Recipients) != 1 || env.Recipients[0] != "desk@east.example" || env.Size != int64(len(text)) {
		t.Errorf("envelope %+v", env)
	}
	for _, want := range []string{"another mail server has returned it since", "did not reach: bob@example.net eve@example.net ", "Site: east ", "It is not attached", "In-Reply-To: <1@east.example>", "550 5.1.1 user unknown"} {
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
			t.Errorf("the return does not have %q:\n%s", want, text)
		}
	}
	// The site's own notices can read it.
	r, err := returns.Parse(strings.NewReader(string(text)))
	if err != nil || r.Kind != returns.Failed || len(r.Recipients) != 2 || len(r.MessageIDs) != 1 || r.MessageIDs[0] != "<1@east.example>" {
		t.Errorf("read again, it is %+v, %v", r, err)
	}
	h.Check(h.read(late(id, "bob@example.net", "eve@example.net")))
	if again := h.queued(); len(again) != 1 {
		t.Errorf("read twice, %v is queued", again)
	}
}

// TestPassedOnOnce: a crash between the return and the history, or after the return has left,
// makes no second one.
func TestPassedOnOnce(t *testing.T) {
	h := newHost(t)
	const id = "1K0WSE1DCR0RRWKC"
	sent := func() {
		h.sent(id, "east", "noreply+"+id+"@service.example", spool.Ordinary, "ann@example.net")
	}
	sent()
	h.Check(h.read(late(id, "ann@example.net")))
	sent() // as if the history had not been written
	h.Check(h.read(late(id, "ann@example.net")))
	if all := h.queued(); len(all) != 1 {
		t.Fatalf("queued: %v", all)
	}
	c := h.Claim(id + ".b0")
	h.Check(c.Remove(spool.Event{Kind: spool.Result, At: h.Now, N: 1, Results: []spool.Answer{{Outcome: spool.Outcome{Class: spool.Delivered}, To: []int{0}}}}, spool.Now))
	sent()
	h.Check(h.read(late(id, "ann@example.net")))
	if all := h.queued(); len(all) != 0 {
		t.Errorf("queued once more: %v", all)
	}
}

// TestNotPassedOn: what is not a site's, or is a return itself, goes to nobody.
func TestNotPassedOn(t *testing.T) {
	h := newHost(t)
	h.sent("1K0WSE1DCR0RRWKA", "", "desk@service.example", spool.Ordinary, "ann@example.net")
	h.sent("1K0WSE1DCR0RRWKB", "east", "", spool.Ordinary, "ann@example.net")
	h.sent("1K0WSE1DCR0RRWKD", "east", "", spool.Report, "desk@east.example")
	h.sent("1K0WSE1DCR0RRWKE", "gone", "noreply+1K0WSE1DCR0RRWKE@service.example", spool.Ordinary, "ann@example.net")
	for _, id := range []spool.ID{"1K0WSE1DCR0RRWKA", "1K0WSE1DCR0RRWKB", "1K0WSE1DCR0RRWKE"} {
		h.Check(h.read(late(id, "ann@example.net")))
	}
	h.Check(h.read(late("1K0WSE1DCR0RRWKD", "desk@east.example")))
	if all := h.queued(); len(all) != 0 {
		t.Errorf("queued: %v", all)
	}
	if said := h.Said.String(); !strings.Contains(said, "1K0WSE1DCR0RRWKE is not passed on: its site gone is not registered any more") {
		t.Errorf("said %q", said)
	}
}

// TestNotPassedOnToAnother: a name that is given to another customer brings it no returns of the
// customer before.
func TestNotPassedOnToAnother(t *testing.T) {
	h := newHost(t)
	const id, next = "1K0WSE1DCR0RRWKC", "1K0WSE1DCR0RRWKD"
	h.sent(id, "east", "noreply+"+id+"@service.example", spool.Ordinary, "ann@example.net")
	register := &service.Register{State: h.Store.State(), Now: h.Program.Now}
	h.Check(register.Revoke(t.Context(), "east"))
	_, err := register.Add(t.Context(), "east", "Another", "desk@another.example")
	h.Check(err)
	h.Check(h.read(late(id, "ann@example.net")))
	if all := h.queued(); len(all) != 0 {
		t.Errorf("queued: %v", all)
	}
	if said := h.Said.String(); !strings.Contains(said, id+" is not passed on: site east was revoked and registered anew") {
		t.Errorf("said %q", said)
	}
	h.Now = h.Now.Add(2 * time.Hour)
	h.sent(next, "east", "noreply+"+next+"@service.example", spool.Ordinary, "ann@example.net")
	h.Check(h.read(late(next, "ann@example.net")))
	if all := h.queued(); len(all) != 1 {
		t.Errorf("its own return: %v", all)
	}
}

// TestPassedOnBeforeHistory: what cannot be passed on is read again.
func TestPassedOnBeforeHistory(t *testing.T) {
	h := newHost(t)
	const id = "1K0WSE1DCR0RRWKC"
	h.sent(id, "east", "noreply+"+id+"@service.example", spool.Ordinary, "ann@example.net")
	full := errors.New("no space left on device")
	h.passing.store = brokenStore{h.Store, full}
	if err := h.read(late(id, "ann@example.net")); !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
	h.passing.store = h.Store
	h.Check(h.read(late(id, "ann@example.net")))
	if all := h.queued(); len(all) != 1 {
		t.Errorf("queued: %v", all)
	}
}

type brokenStore struct {
	spool.Store
	err error
}

func (s brokenStore) New(context.Context, spool.ID) (spool.Draft, error) { return nil, s.err }
