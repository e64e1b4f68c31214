package sidecar

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/maildir/lines"
)

// drawText draws texts that JSON writes in several ways, and letters whose lower case is another letter.
func drawText(label string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "B", "k", "K", "İ", "ü", "@", "x", ".", "\"", "\\", "<", "&", "\x7f", "\u2028", "\xff", "\t", "failed", "delivered"}), 0, 5).Draw(t, label)
		text := ""
		for _, p := range parts {
			text += p
		}
		return text
	})
}

func drawRecord(t *rapid.T) *spool.Record {
	env := testEnvelope()
	env.ID, env.Sender = "0CKRP4W3R1A9B8C7", drawText("sender").Draw(t, "sender")
	env.Ref, env.Site = drawText("ref").Draw(t, "ref"), drawText("site").Draw(t, "site")
	env.Recipients = rapid.SliceOfN(drawText("recipient"), 1, 3).Draw(t, "recipients")
	r := spool.NewRecord(env)
	for n := range rapid.IntRange(0, 4).Draw(t, "events") {
		e := spool.Event{Kind: rapid.SampledFrom([]spool.Kind{spool.Try, spool.Result, spool.Postpone, spool.Hold, spool.GiveUp, spool.Retry}).Draw(t, "kind"), N: n + 1, Note: drawText("note").Draw(t, "note")}
		if e.Kind == spool.Result {
			class := rapid.SampledFrom([]spool.Class{spool.Delivered, spool.Deferred, spool.Failed, spool.Uncertain}).Draw(t, "class")
			e.Results = []spool.Answer{{Outcome: spool.Outcome{Class: class, Reply: spool.Reply{Text: drawText("reply").Draw(t, "reply")}}, To: []int{0}}}
		}
		r.Apply(e)
	}
	return r
}

// TestFilter: what the filter leaves out the query does not choose, and those that it says wait do.
func TestFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		text, _, err := New(r.Envelope, r.Events...)
		if err != nil {
			t.Skip(err)
		}
		got, err := parse(append([]byte(nil), text...))
		if err != nil {
			t.Fatal(err)
		}
		part := func(label string, of ...string) string { // often one that is found
			return rapid.OneOf(rapid.SampledFrom(append(of, "")), drawText(label)).Draw(t, label)
		}
		q := &spool.HistoryQuery{Recipient: part("to", r.Envelope.Recipients...), Sender: part("from", r.Envelope.Sender, "<>"), Ref: part("by", r.Envelope.Ref), Site: part("at", r.Envelope.Site)}
		checkVerdict(t, got.Record, text, q, rapid.Bool().Draw(t, "ended"))
	})
}

// checkVerdict compares what the bytes of a sidecar tell with its record.
func checkVerdict(t interface{ Fatalf(string, ...any) }, r *spool.Record, text []byte, q *spool.HistoryQuery, ended bool) {
	verdict := NewFilter(q, ended).look(append([]byte(nil), text...), true)
	for i, e := range r.Endings(spool.Event{}, r.QueuedAt) {
		chosen := q.ChoosesMessage(&e)
		pending := r.Recipients[i].State == spool.RecipientPending && !r.GivenUp
		if verdict == other && chosen || verdict == waits && (!pending || !ended) {
			t.Fatalf("verdict %d of recipient %d: chosen %t, waits %t: %s", verdict, i, chosen, pending, text)
		}
	}
}

// FuzzFilter: the same for any bytes that make a sidecar.
func FuzzFilter(f *testing.F) {
	f.Add(string(attempts(f, 2)), "patron@example.net", "library", "", true)
	f.Add(string(attempts(f, 0)), "@example.net", "<>", "patron-1", false)
	f.Fuzz(func(t *testing.T, text, to, sender, ref string, ended bool) {
		if text = resum(text); text == "" {
			return
		}
		got, err := parse([]byte(text))
		if err != nil {
			return
		}
		checkVerdict(t, got.Record, []byte(text), &spool.HistoryQuery{Recipient: to, Sender: sender, Ref: ref}, ended)
	})
}

// resum gives each line of a sidecar its checksum: a fuzzer would hardly find it.
func resum(text string) string {
	var out []byte
	sum := lines.Start
	for line := range strings.Lines(text) {
		if len(line) <= lines.SumDigits {
			break
		}
		b := []byte(line)
		b[lines.SumDigits] = ' '
		sum = lines.WriteSum(b, sum)
		out = append(out, b...)
	}
	return string(out)
}
