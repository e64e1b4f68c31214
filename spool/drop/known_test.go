package drop

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
)

// lay puts a file into the drop of a disk, whole.
func lay(t *testing.T, disk *simfs.Disk, id spool.ID, content []byte) {
	t.Helper()
	f, err := disk.Open(nil).Open(path(string(id)), unix.O_WRONLY|unix.O_CREAT, modeComplete)
	must(t, err)
	_, err = f.Write(content)
	must(t, err)
	must(t, f.Close())
}

func historyOf(t *testing.T, disk *simfs.Disk, id spool.ID) string {
	t.Helper()
	s, err := maildir.Open("/spool", maildir.Options{FS: disk.Open(nil)})
	must(t, err)
	var all []string
	_, err = s.History(t.Context(), spool.HistoryQuery{IDs: []spool.ID{id}}, func(e *spool.HistoryEntry) bool {
		all = append(all, e.Recipient)
		return true
	})
	must(t, err)
	return strings.Join(all, " ")
}

// TestIDThatEnded: nobody takes the place that another message has in the history, whatever of
// that message is known. Only the message itself is removed without a word: it has ended.
func TestIDThatEnded(t *testing.T) {
	const id = "1P018WH5G00273CT"
	victim := func(e *spool.Envelope) {
		e.Recipients, e.Ref = []string{"ok@victim.example", "bad@victim.example"}, "w7"
	}
	for what, c := range map[string]struct {
		change func(*spool.Envelope)
		aside  bool
	}{
		"itself":                 {func(*spool.Envelope) {}, false},
		"other recipients":       {func(e *spool.Envelope) { e.Recipients = []string{"a@attacker.example", "b@attacker.example"} }, true},
		"in another order":       {func(e *spool.Envelope) { e.Recipients[0], e.Recipients[1] = e.Recipients[1], e.Recipients[0] }, true},
		"one recipient less":     {func(e *spool.Envelope) { e.Recipients = e.Recipients[:1] }, true},
		"one recipient more":     {func(e *spool.Envelope) { e.Recipients = append(e.Recipients, "c@victim.example") }, true},
		"another reference":      {func(e *spool.Envelope) { e.Ref = "w8" }, true},
		"another Message-ID":     {func(e *spool.Envelope) { e.MessageID = "<2@example.org>" }, true},
		"queued at another time": {func(e *spool.Envelope) { e.QueuedAt = e.QueuedAt.Add(-time.Second) }, true},
		"long before":            {func(e *spool.Envelope) { e.QueuedAt = time.Unix(1, 0).UTC() }, true},
	} {
		disk := newDisk(t)
		lay(t, disk, id, forged(envelope(t, victim), body))
		sent := 0
		count := func(spool.ID, string) { sent++ }
		must(t, flush(disk.Open(nil), nil, count))
		lay(t, disk, id, forged(envelope(t, func(e *spool.Envelope) { victim(e); c.change(e) }), strings.Replace(body, "<1@", "<2@", 1)))
		var log strings.Builder
		must(t, flushAt(t.Context(), noon.Add(30*24*time.Hour), disk.Open(nil), &log, count))
		if sent != 1 || len(disk.Names(Name)) > 0 {
			t.Errorf("%s: %d messages were sent, left in the drop: %q", what, sent, disk.Names(Name))
		}
		if aside := len(disk.Names(asideDir)) == 1 && strings.Contains(log.String(), "another message had its id"); aside != c.aside || !c.aside && log.Len() > 0 {
			t.Errorf("%s: aside %q\n%s", what, disk.Names(asideDir), &log)
		}
		if got := historyOf(t, disk, id); got != "ok@victim.example bad@victim.example" {
			t.Errorf("%s: the history is of %q", what, got)
		}
	}
}

// TestIDFromAWrongClock: an id of the future, or of 1970, is looked up as well.
func TestIDFromAWrongClock(t *testing.T) {
	for _, at := range []time.Time{time.Unix(1, 0), noon.Add(-9000 * time.Hour), noon.Add(24 * time.Hour), noon.Add(9000 * time.Hour)} {
		id := spool.NewID(at)
		if !id.MadeAt().Equal(at) {
			t.Errorf("an id of %v is one of %v", at, id.MadeAt())
		}
		disk := newDisk(t)
		sent := 0
		for range 2 {
			lay(t, disk, id, forged(envelope(t, func(e *spool.Envelope) { e.ID = id; e.Recipients[0] = strings.Repeat("x", sent+1) + "@example.net" }), body))
			must(t, flush(disk.Open(nil), nil, func(spool.ID, string) { sent++ }))
		}
		if sent != 1 || len(disk.Names(asideDir)) != 1 {
			t.Errorf("an id of %v: %d messages were sent", at, sent)
		}
	}
}

// TestHistoryUnreadable: what is handed in does not wait for the history.
func TestHistoryUnreadable(t *testing.T) {
	disk := newDisk(t)
	lay(t, disk, "1P018WH5G00273CT", forged(envelope(t, nil), body))
	disk.Write("history", []byte("not a folder"))
	sent := 0
	must(t, flush(disk.Open(nil), nil, func(spool.ID, string) { sent++ }))
	if sent != 1 {
		t.Errorf("%d messages were sent", sent)
	}
}
