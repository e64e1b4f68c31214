package flush

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maillog"
)

// logged flushes with a log and returns the words of its events.
func (w *world) logged() (words []string, text string) {
	w.t.Helper()
	var b bytes.Buffer
	w.o.Log = maillog.New(&b, maillog.All)
	w.flush()
	for line := range strings.Lines(b.String()) {
		word, _, _ := strings.Cut(line, " ")
		words = append(words, word)
	}
	return words, b.String()
}

func TestLog(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	for _, c := range []struct {
		name    string
		prepare func()
		want    string
		says    string
	}{
		{"delivered", func() { w.put("A", nil, "a@example.net", "b@example.net") }, "delivered run", "id=A attempt=1 to=a@example.net,b@example.net"},
		{"deferred", func() { w.put("B", nil); w.mail.always(greylisted) }, "deferred run", "next="},
		{"failed", func() { w.pass(time.Hour); w.mail.always(noSuchUser) }, "failed returned delivered run", "return=B-2 to=desk@example.org"},
		{"gave up", func() { w.put("C", nullSender) }, "failed gave-up run", "no sender to return it to"},
		{"postponed", func() { w.put("D", nil); w.put("E", nil); w.mail.paused(noRoute) }, "postponed run", `messages=2 why="connection refused"`},
		{"interrupted", func() {
			w.mail.instead, w.mail.answer = nil, nil
			w.pass(time.Hour)
			c := w.claim("D")
			c.Begin(spool.Event{Kind: spool.Try, N: 1, At: w.now(), Next: w.now()})
			c.Release()
			w.o.IDs = []spool.ID{"D"}
		}, "interrupted delivered run", "id=D attempt=1"},
		{"asked for, held", func() {
			w.change("E", spool.Event{Kind: spool.Hold})
			w.o.IDs = []spool.ID{"E"}
		}, "trouble run", "notices release E"},
		{"asked for, failed", func() { w.o.IDs = []spool.ID{"C"} }, "trouble run", "notices retry C"},
		{"third uncertain", func() {
			w.o.IDs = nil
			w.put("F", nil)
			for n := 1; n <= 2; n++ {
				w.change("F", spool.Event{Kind: spool.Result, N: n, Results: []spool.Answer{{Outcome: noAnswer, To: []int{0}}}})
			}
			w.mail.always(noAnswer)
		}, "uncertain returned held delivered run", "return=F.h1"},
		{"keep_failed", func() { w.pass(24 * time.Hour); w.o.KeepFailed = time.Hour }, "removed run", "id=C by=keep_failed"},
		{"damaged", func() { w.put("G", nil); w.mem.Damage("G") }, "aside run", "name=G"},
	} {
		c.prepare()
		words, text := w.logged()
		if strings.Join(words, " ") != c.want || !strings.Contains(text, c.says) {
			t.Fatalf("%s: want the events %s, and %q; got:\n%s", c.name, c.want, c.says, text)
		}
	}
}

// Cron mails whatever is printed, so a run prints nothing if all is well or only deferred.
func TestSilentWhenNothingIsWrong(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	w.o.Log = maillog.New(&b, maillog.Warnings)
	w.put("A", nil)
	w.flush()
	w.put("B", nil)
	w.mail.always(greylisted)
	w.flush()
	w.pass(time.Hour)
	w.mail.always(noSuchUser)
	w.flush()
	w.put("C", nil)
	w.mail.paused(noRoute)
	w.flush()
	if b.Len() != 0 {
		t.Errorf("printed:\n%s", b.String())
	}
}
