package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/flush"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
	"notices/spool/schedule"
)

// world is a site: its disk, its mail server and its clock, which outlive each
// process that works on them.
type world struct {
	t        *testing.T
	messages []testMessage
	disk     *simfs.Disk
	clock    time.Time
	dice     *rand.Rand

	steps int   // taken by the process of this run
	stop  int   // at this step (1, 2, ...) wrong happens; 0: never
	wrong error // simfs.ErrDead: the process dies

	dead bool
	// taken counts what the server took: "ID recipient". It may be asked for nothing
	// that it has no answer to.
	taken map[string]int
	tries map[string]int
	// open is what the server took and the program has perhaps not written down:
	// what a kill may send again.
	open string
	// again are those that were sent again because the program died over them.
	again map[string]bool
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, messages: messages, disk: simfs.New(), clock: time.Unix(1_900_000_000, 0), dice: rand.New(rand.NewPCG(7, 7)),
		taken: map[string]int{}, tries: map[string]int{}, again: map[string]bool{},
	}
}

// step counts the steps of the disk and of the server alike.
func (w *world) step() error {
	if w.dead {
		return simfs.ErrDead
	}
	w.steps++
	if w.steps == w.stop {
		w.dead = errors.Is(w.wrong, simfs.ErrDead)
		return w.wrong
	}
	return nil
}

// process opens the spool as a new process, does something and ends.
func (w *world) process(stop int, wrong error, do func(spool.Store) error) (steps int, err error) {
	w.t.Helper()
	w.steps, w.stop, w.wrong, w.dead, w.open = 0, stop, wrong, false, ""
	p := w.disk.Open(func(simfs.Step) error { return w.step() })
	s, err := maildir.Open("/spool", maildir.Options{FS: p})
	if err == nil {
		err = do(s)
	}
	if w.dead && w.open != "" {
		w.again[w.open] = true
	}
	steps = w.steps
	if !w.dead {
		err = errors.Join(err, s.Close())
	}
	w.disk.Kill(p)
	return steps, err
}

// Deliver is the route and the server behind it: one recipient's fate is in its name.
func (w *world) Deliver(_ context.Context, m *spool.Message) (spool.Delivery, error) {
	w.open = ""
	if err := m.Begin(); err != nil {
		return spool.Delivery{}, err
	}
	if err := w.step(); errors.Is(err, simfs.ErrDead) { // dies before the server has it
		return spool.Delivery{}, err
	}
	outcomes := make([]spool.Outcome, len(m.Recipients))
	for i, r := range m.Recipients {
		outcomes[i] = w.serve(m, r)
	}
	w.open = string(m.ID)
	if err := w.step(); errors.Is(err, simfs.ErrDead) { // dies before it says so
		return spool.Delivery{}, err
	}
	return spool.Delivery{Outcomes: outcomes}, nil
}

func (w *world) Workers() int { return 1 }

func (w *world) Group(string, []string) string { return "" }

func (w *world) serve(m *spool.Message, recipient string) spool.Outcome {
	key := string(m.ID) + " " + recipient
	w.tries[key]++
	reply := spool.Reply{Server: "1", Host: "mail.example.org", At: w.clock}
	switch fate, _, _ := strings.Cut(recipient, "@"); {
	case fate == "gone" || fate == "unreachable":
		reply.Code, reply.Enhanced, reply.Text = 550, "5.1.1", "no such user"
		return spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply}
	case fate == "later" && w.tries[key] < 3:
		reply.Code, reply.Enhanced, reply.Text = 451, "4.2.0", "come back"
		return spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: reply}
	case fate == "silent" && w.tries[key] < 2:
		reply.Text = "no answer"
		return spool.Outcome{Class: spool.Uncertain, Scope: spool.MessageScope, Reply: reply}
	}
	w.taken[key]++
	reply.Code, reply.Text = 250, "taken"
	if m.DSN != nil && m.DSN.Notifies(spool.OnSuccess, 0) { // of all of them, in these messages
		return spool.Outcome{Class: spool.Delivered, Scope: spool.MessageScope, Reason: spool.ReasonRelayed, Reply: reply}
	}
	return spool.Outcome{Class: spool.Delivered, Scope: spool.RecipientScope, Reply: reply}
}

func (w *world) put(m testMessage) func(spool.Store) error {
	id := m.id
	return func(s spool.Store) error {
		d, err := s.New(context.Background(), id)
		if err != nil {
			return err
		}
		defer d.Abort()
		body := fmt.Sprintf("From: <library@example.org>\r\nSubject: %s\r\n\r\n%s\r\n", id, strings.Repeat("text ", 120))
		if _, err := d.Write([]byte(body)); err != nil {
			return err
		}
		err = d.Seal(spool.Envelope{
			Sender: m.sender, Recipients: m.recipients, QueuedAt: w.clock, MessageID: "<" + string(id) + "@example.org>",
			DSNParams: spool.DSNParams{Notify: m.notify},
		})
		if err == nil {
			_, err = s.Commit(context.Background(), d)
		}
		return err
	}
}

func (w *world) flush(s spool.Store) error {
	_, err := flush.Run(context.Background(), flush.Options{
		Store: s, Deliverer: w,
		Policy: schedule.Policy{
			ShortRange: 3 * time.Hour, ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
			LongDelay: [2]time.Duration{time.Hour, 90 * time.Minute}, GiveUp: 100 * time.Hour,
		},
		Site:   bounce.Site{Name: "Library", Address: "library@example.org", Hostname: "mail.example.org"},
		Now:    func() time.Time { return w.clock },
		Random: w.dice.Int64N,
	})
	return err
}

// testMessage is a message of the test and what must become of it.
type testMessage struct {
	id         spool.ID
	sender     string
	recipients []string
	kept       bool   // ends in failed/: it cannot be returned
	notify     string // NOTIFY; the server reports no success
}

const librarian = "librarian@example.org"

var messages = []testMessage{
	{id: "0CKRP4W3R1A9B8C1", sender: librarian, recipients: []string{"ok@example.net"}},
	{id: "0CKRP4W3R1A9B8C2", sender: librarian, recipients: []string{"ok@example.net", "gone@example.net", "later@example.net"}},
	{id: "0CKRP4W3R1A9B8C3", sender: librarian, recipients: []string{"gone@example.net"}},
	{id: "0CKRP4W3R1A9B8C4", sender: "", recipients: []string{"gone@example.net"}, kept: true},
	{id: "0CKRP4W3R1A9B8C5", sender: "unreachable@example.org", recipients: []string{"gone@example.net"}},
	{id: "0CKRP4W3R1A9B8C6", sender: librarian, recipients: []string{"silent@example.net", "later@example.net"}},
}

// wantingReports are messages whose sender asked for reports of success.
var wantingReports = []testMessage{
	{id: "0CKRP4W3R1A9B8C7", sender: librarian, recipients: []string{"ok@example.net"}, notify: "success"},
	{id: "0CKRP4W3R1A9B8C8", sender: librarian, recipients: []string{"ok@example.net", "later@example.net"}, notify: "success,failure"},
}

// settle runs flush after flush, hours apart, until nothing is left to do.
func (w *world) settle() {
	w.t.Helper()
	for range 12 {
		w.clock = w.clock.Add(100 * time.Minute)
		if _, err := w.process(0, nil, w.flush); err != nil {
			w.t.Fatalf("a later flush: %v", err)
		}
	}
}

// left lists what is still in the spool.
func (w *world) left() (waiting, failed []spool.ID) {
	w.t.Helper()
	_, err := w.process(0, nil, func(s spool.Store) error {
		return errors.Join(
			s.Scan(context.Background(), func(e spool.Entry) bool { waiting = append(waiting, e.ID); return true }),
			s.ScanFailed(context.Background(), func(e spool.Entry) bool { failed = append(failed, e.ID); return true }))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(failed)
	return waiting, failed
}
