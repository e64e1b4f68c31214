package queue

import (
	"cmp"
	"context"
	"io"
	"slices"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
	"notices/spool/printable"
)

// endedMessage is what is known of a message that left the queue: its rows, at least one.
type endedMessage []history.Row

// showEnded prints what is known of a message that is not in the queue.
func (q *Queue) showEnded(ctx context.Context, o ShowOptions) error {
	var m endedMessage
	anomalies, err := history.Search(ctx, q.Store, spool.HistoryQuery{IDs: []spool.ID{spool.ID(o.ID)}}, func(row *history.Row) bool {
		m = append(m, *row)
		return ctx.Err() == nil
	})
	switch {
	case err != nil:
		return err
	case len(m) == 0:
		for _, a := range anomalies { // it may be there
			q.Program.Say("%s: %s", a.Name, a.Why)
		}
		if q.NoHistory {
			return app.Fail(app.ExitUnknown, `%s: no such message in the queue, and no history is kept of those that left it: to keep it from now on, set keep_history = "90d" in [spool] of notices.toml`, o.ID)
		}
		return app.Fail(app.ExitUnknown, "%s: no such message, neither in the queue nor in the history; notices list shows all messages in the queue, and notices history --to ADDRESS what became of those to an address", o.ID)
	case o.JSON:
		return term.PrintJSON(q.Program.Stdout, m.json())
	}
	t := &messageText{term.NewPage(q.Program), q.Program.Now()}
	t.writeEnded(m)
	_, err = io.WriteString(q.Program.Stdout, t.Text())
	return err
}

// worst are the outcomes, the one that most needs a person first.
func worst() []spool.Ending {
	return []spool.Ending{history.Waiting, spool.EndedFailed, spool.EndedBounced, spool.EndedReturned, spool.EndedRemoved, spool.EndedDelivered}
}

// state is the worst of the outcomes, by which a message goes that had several.
func (m endedMessage) state() spool.MessageState {
	for _, word := range worst() {
		if slices.ContainsFunc(m, func(row history.Row) bool { return row.Outcome == word }) {
			return spool.MessageState(word)
		}
	}
	return ""
}

func (m endedMessage) attempts() (n int) {
	for i := range m {
		n = max(n, m[i].Attempts)
	}
	return n
}

// endedAt is when the last recipient's part ended.
func (m endedMessage) endedAt() (last time.Time) {
	for i := range m {
		if m[i].EndedAt.After(last) {
			last = m[i].EndedAt.Time
		}
	}
	return last
}

// json is the message in the form of show --json: what is not kept is empty or null.
func (m endedMessage) json() shownJSON {
	first := &m[0]
	shown := shownJSON{messageJSON: messageJSON{
		ID: first.ID, State: m.state(), Sender: first.Sender, Attempts: m.attempts(), QueuedAt: term.Stamp(first.QueuedAt.Time), Ref: first.Ref,
	}, Headers: []headerJSON{}, History: []historyJSON{}}
	for i := range m {
		row := &m[i]
		state := spool.RecipientFailed
		switch row.Outcome {
		case spool.EndedDelivered:
			state = spool.RecipientDelivered
		case spool.EndedRemoved, history.Waiting:
			state = spool.RecipientPending
		}
		shown.Recipients = append(shown.Recipients, recipientJSON{row.Recipient, state, row.Reply})
		shown.History = append(shown.History, steps(row)...)
		if row.Outcome != spool.EndedDelivered && row.Reply != "" {
			shown.LastError = row.Reply
		}
	}
	slices.SortStableFunc(shown.History, func(a, b historyJSON) int { return a.At.Compare(*b.At) })
	return shown
}

// steps are what happened for a recipient. What bounced was accepted first, and Server of its last
// step is the host that returned it.
func steps(row *history.Row) []historyJSON {
	last := historyJSON{term.Stamp(row.EndedAt.Time), row.Server, string(row.Outcome), row.Reply}
	if row.Outcome != spool.EndedBounced {
		return []historyJSON{last}
	}
	last.Server = row.Host
	a := &row.Accepted
	if *a == (spool.Reply{}) {
		return []historyJSON{last}
	}
	at := a.At
	if at.IsZero() {
		at = row.QueuedAt.Time
	}
	return []historyJSON{{term.Stamp(at), a.Server, string(spool.EndedDelivered), printable.Line(a.String())}, last}
}

// writeEnded writes the message for a person.
func (t *messageText) writeEnded(m endedMessage) {
	first, state := &m[0], string(m.state())
	row := func(name string, c term.Colour, format string, args ...any) {
		t.Row(term.Pad(name, 12), c, format, args...)
	}
	when := func(at time.Time) string { return term.Clock(at) + " (" + term.Ago(at, t.now) + ")" }
	row("Id", "", "%s", first.ID)
	row("State", endedColour(m.state()), "%s, %s; it has left the queue", state, printable.Count(m.attempts(), "attempt"))
	row("Sender", "", "%s", cmp.Or(first.Sender, "<> (the null sender)"))
	if first.Ref != "" {
		row("Reference", "", "%s", first.Ref)
	}
	row("Queued", "", "%s", when(first.QueuedAt.Time))
	row("Ended", "", "%s", when(m.endedAt()))
	t.title("Recipients")
	names := 0
	for i := range m {
		names = max(names, term.Columns(printable.Text(m[i].Recipient)))
	}
	for i := range m {
		t.Row("  "+term.Pad(printable.Text(m[i].Recipient), names)+"  "+term.Pad(string(m[i].Outcome), 9)+"  ", "", "%s", m[i].Reason)
	}
	t.Line("")
	t.Line("Its header and its text are not kept.")
	shown := m.json()
	t.history(&shown)
}

func endedColour(state spool.MessageState) term.Colour {
	switch spool.Ending(state) {
	case spool.EndedDelivered:
		return term.Green
	case spool.EndedRemoved:
		return term.Yellow
	}
	return term.Red
}
