package storetest

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"notices/spool"
)

// start is when everything happens: whole seconds in UTC, as in a record.
var start = time.Unix(1_760_000_000, 0).UTC()

// later is start and so many minutes.
func later(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

// sample is an envelope to n recipients.
func sample(id spool.ID, n int) spool.Envelope {
	env := spool.Envelope{ID: id, Sender: "library@example.org", QueuedAt: start}
	for i := range n {
		env.Recipients = append(env.Recipients, fmt.Sprintf("patron%d@example.net", i))
	}
	return env
}

// content is a message of n octets, up to 3 MiB, no two lines alike. It is shared:
// a store that writes into what it was given is found out.
func content(n int) []byte { return long()[:n:n] }

var long = sync.OnceValue(func() []byte {
	const size = 3 << 20
	b := make([]byte, 0, size+100)
	for line := 0; len(b) < size; line++ {
		b = append(b, "line "...)
		b = strconv.AppendInt(b, int64(line), 10)
		b = append(b, " of a notice to a patron\r\n"...)
	}
	return b
})

// Put queues one message, for tests that need one. Size is filled in.
func Put(t testing.TB, s spool.Store, env spool.Envelope, body string) spool.Entry {
	t.Helper()
	return kit{checks{t}}.put(s, env, []byte(body))
}

func (k kit) put(s spool.Store, env spool.Envelope, body []byte) spool.Entry {
	k.Helper()
	k.commit(s, k.sealed(s, env, body))
	return k.find(s, env.ID)
}

// putFolded puts a message and returns the record that it must have.
func (k kit) putFolded(s spool.Store, env spool.Envelope, body []byte) *spool.Record {
	k.Helper()
	k.put(s, env, body)
	env.Size = int64(len(body))
	return fold(env)
}

// commit queues all of the drafts.
func (k kit) commit(s spool.Store, drafts ...spool.Draft) {
	k.Helper()
	n, err := s.Commit(k.Context(), drafts...)
	k.ok(err, "Commit")
	if n != len(drafts) {
		k.Fatalf("Commit of %d says %d", len(drafts), n)
	}
}

// queued is how putSample's message is listed.
func queued(id spool.ID) spool.Entry {
	return spool.Entry{ID: id, Next: start, State: spool.StateQueued}
}

func (k kit) putSample(s spool.Store, id spool.ID) spool.Entry {
	k.Helper()
	return k.put(s, sample(id, 3), content(500))
}

func (k kit) draft(s spool.Store, id spool.ID) spool.Draft {
	k.Helper()
	d, err := s.New(k.Context(), id)
	k.ok(err, "New "+string(id))
	if d.ID() != id || d.Len() != 0 {
		k.Fatalf("New %s: draft of %s with %d octets", id, d.ID(), d.Len())
	}
	return d
}

func (k kit) sealed(s spool.Store, env spool.Envelope, body []byte) spool.Draft {
	k.Helper()
	d := k.draft(s, env.ID)
	k.write(d, body)
	env.Size = int64(len(body))
	k.ok(d.Seal(env), "Seal "+string(env.ID))
	return d
}

func (k checks) write(d spool.Draft, body []byte) {
	k.Helper()
	n, err := d.Write(body)
	k.ok(err, "Write "+string(d.ID()))
	if n != len(body) {
		k.Fatalf("Write %s: %d of %d octets", d.ID(), n, len(body))
	}
}

func (k checks) read(b spool.Body) []byte {
	k.Helper()
	// One octet more than there is: a ReaderAt must say EOF then.
	data := make([]byte, b.Size()+1)
	n, err := b.ReadAt(data, 0)
	if err != io.EOF || int64(n) != b.Size() {
		k.Fatalf("reading a body that says %d octets: %d, %v", b.Size(), n, err)
	}
	return data[:n]
}

// Events as the engine makes them.

func try(n, minutes int, next time.Time) spool.Event {
	return spool.Event{Kind: spool.Try, At: later(minutes), N: n, Next: next}
}

func result(n, minutes int, next time.Time, answers ...spool.Answer) spool.Event {
	return spool.Event{Kind: spool.Result, At: later(minutes), N: n, Next: next, Results: answers}
}

func answer(class spool.Class, code int, text string, to ...int) spool.Answer {
	reply := spool.Reply{Server: "1", Host: "mail.example.org", Code: code, Text: text, At: start}
	return spool.Answer{Outcome: spool.Outcome{Class: class, Scope: spool.RecipientScope, Reply: reply}, To: to}
}

func deferral(to ...int) spool.Answer {
	return answer(spool.Deferred, 451, "come back later", to...)
}

func giveUp(minutes int) spool.Event {
	return spool.Event{Kind: spool.GiveUp, At: later(minutes), Note: "nobody to return it to"}
}

func fresh(minutes int) spool.Event {
	return spool.Event{Kind: spool.Retry, At: later(minutes), Next: later(minutes), Fresh: true}
}
