package sidecar

import (
	"testing"

	"pgregory.net/rapid"

	"notices/spool"
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
		text, err := New(r.Envelope, r.Events...)
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
		ended := rapid.Bool().Draw(t, "ended")
		verdict := NewFilter(q, ended).look(text, true)
		for i, e := range got.Record.Endings(spool.Event{}, r.QueuedAt) {
			chosen := q.ChoosesMessage(&e)
			pending := got.Record.Recipients[i].State == spool.RecipientPending && !got.Record.GivenUp
			if verdict == other && chosen || verdict == waits && (!pending || !ended) {
				t.Fatalf("verdict %d of recipient %d: chosen %t, waits %t: %s", verdict, i, chosen, pending, text)
			}
		}
	})
}
