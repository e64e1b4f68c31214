package queue

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// ShowOptions are the options of notices show.
type ShowOptions struct {
	ID   string
	JSON bool
}

// shownJSON is what show prints beyond list.
type shownJSON struct {
	messageJSON
	Headers []headerJSON  `json:"headers"`
	History []historyJSON `json:"history"`
}

// headerJSON is one header field, unfolded, in the order of the message. A name may
// come more than once.
type headerJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Show prints one message, which may have left the queue.
func (q *Queue) Show(ctx context.Context, o ShowOptions) error {
	r, headers, err := q.open(ctx, o.ID)
	if errors.Is(err, spool.ErrGone) {
		return q.showEnded(ctx, o)
	}
	if err != nil && app.ExitCode(err) == app.ExitInternal {
		return app.Fail(app.ExitIO, "%w; the next flush sets aside what is damaged", err)
	}
	if err != nil {
		return err
	}
	m := shownJSON{describe(r, q.Policy), headers, eventsOf(r)}
	if o.JSON {
		return term.PrintJSON(q.Program.Stdout, m)
	}
	t := &messageText{term.NewPage(q.Program), q.Program.Now()}
	t.write(&m)
	_, err = io.WriteString(q.Program.Stdout, t.Text())
	return err
}

// open reads record and headers. A message that is renamed between the two steps
// is looked up again.
func (q *Queue) open(ctx context.Context, id string) (r *spool.Record, headers []headerJSON, err error) {
	for range maxRounds {
		var e spool.Entry
		if e, err = spool.FindOne(ctx, q.Store, spool.ID(id)); err != nil {
			return nil, nil, err
		}
		var body spool.Body
		if r, body, err = q.Store.Peek(ctx, e); err == nil {
			headers, err = readHeaders(io.NewSectionReader(body, 0, body.Size()))
			body.Close()
			return r, headers, err
		}
		if !errors.Is(err, spool.ErrGone) {
			return nil, nil, err
		}
	}
	return nil, nil, err
}

// maxHeader bounds what show reads of a message, in octets.
const maxHeader = 1 << 20

// readHeaders splits the header off a stored message, whose lines end in CRLF, and
// unfolds it (RFC 5322 2.2.3).
func readHeaders(message io.Reader) ([]headerJSON, error) {
	headers := []headerJSON{}
	in := bufio.NewReader(io.LimitReader(message, maxHeader))
	for {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		switch last := len(headers) - 1; {
		case line == "":
			return headers, nil
		case (line[0] == ' ' || line[0] == '\t') && last >= 0:
			headers[last].Value += line
		case colon:
			headers = append(headers, headerJSON{name, strings.TrimSpace(value)})
		}
		if err == io.EOF {
			return headers, nil
		}
	}
}

// messageText is a message for a person.
type messageText struct {
	*term.Page
	now time.Time
}

func (t *messageText) write(m *shownJSON) {
	t.summary(m)
	t.recipients(m.Recipients)
	t.headers(m.Headers)
	t.history(m)
}

func (t *messageText) title(text string) {
	t.Line("")
	t.Title(term.Bold, text)
}

func (t *messageText) summary(m *shownJSON) {
	row := func(name string, c term.Colour, format string, args ...any) {
		t.Row(term.Pad(name, 12), c, format, args...)
	}
	when := func(at *time.Time) string { return fmt.Sprintf("%s (%s)", term.Clock(*at), term.Ago(*at, t.now)) }
	row("Id", "", "%s", m.ID)
	row("State", stateColour(m.State), "%s, %s%s", m.State, printable.Count(m.Attempts, "attempt"), advice(m))
	row("Sender", "", "%s", cmp.Or(m.Sender, "<> (the null sender)"))
	row("Size", "", "%s", term.Octets(m.Size))
	if m.Ref != "" {
		row("Reference", "", "%s", m.Ref)
	}
	if m.QueuedAt != nil {
		row("Queued", "", "%s", when(m.QueuedAt))
	}
	switch next := m.NextSendAt; {
	case next == nil:
	case next.After(t.now):
		row("Next send", "", "%s", when(next))
	default:
		row("Next send", "", "with the next flush; due since %s", when(next))
	}
	if m.ExpiresAt != nil && m.NextSendAt != nil {
		row("Gives up", "", "%s", when(m.ExpiresAt))
	}
	if m.LastError != "" {
		row("Last error", "", "%s", m.LastError)
	}
}

// advice is what to do about a message that is held or has failed.
func advice(m *shownJSON) string {
	switch m.State {
	case spool.StateHeld:
		return fmt.Sprintf("; to release it, run: notices release %s", m.ID)
	case spool.StateFailed:
		return fmt.Sprintf("; to queue it again, run: notices retry %s", m.ID)
	}
	return ""
}

func (t *messageText) recipients(to []recipientJSON) {
	t.title("Recipients")
	names := 0
	for i := range to {
		names = max(names, term.Columns(printable.Text(to[i].Address)))
	}
	for _, r := range to {
		t.Row("  "+term.Pad(printable.Text(r.Address), names)+"  "+term.Pad(string(r.State), 9)+"  ", "", "%s", r.Reply)
	}
}

func (t *messageText) headers(headers []headerJSON) {
	t.title("Headers")
	decoder := new(mime.WordDecoder)
	for _, h := range headers {
		value, err := decoder.DecodeHeader(h.Value)
		if err != nil {
			value = h.Value
		}
		t.Row("  "+h.Name+": ", "", "%s", value)
	}
}

// history begins with the queueing, which the record has no event for.
func (t *messageText) history(m *shownJSON) {
	t.title("History")
	events := m.History
	if m.QueuedAt != nil && (len(events) == 0 || !events[0].At.Before(*m.QueuedAt)) {
		events = append([]historyJSON{{At: m.QueuedAt, Outcome: "queued"}}, events...)
	}
	servers, words := 0, 0
	for i := range events {
		servers, words = max(servers, term.Columns(serverName(&events[i]))), max(words, len(wordsFor(events[i].Outcome)))
	}
	for i := range events {
		e := &events[i]
		server := serverName(e)
		if servers > 0 {
			server = term.Pad(server, servers) + "  "
		}
		t.Row("  "+term.Clock(*e.At)+"  "+server+term.Pad(wordsFor(e.Outcome), words)+"  ", outcomeColour(e.Outcome), "%s", e.Reply)
	}
}

// serverName is a server of ours by its name, and one that returned a message by its host.
func serverName(e *historyJSON) string {
	switch {
	case e.Server == "":
		return ""
	case e.Outcome == string(spool.EndedBounced):
		return printable.Text(e.Server)
	}
	return "server " + e.Server
}

// wordsFor is an outcome or event as a person would say it.
func wordsFor(outcome string) string {
	switch spool.Kind(outcome) {
	case spool.Postpone:
		return "put off"
	case spool.Hold:
		return "held"
	case spool.Release:
		return "released"
	case spool.Retry:
		return "made due"
	case spool.GiveUp:
		return "given up"
	}
	return outcome
}

func outcomeColour(outcome string) term.Colour {
	switch spool.Class(outcome) {
	case spool.Delivered:
		return term.Green
	case spool.Failed:
		return term.Red
	case spool.Deferred, spool.Uncertain:
		return term.Yellow
	}
	return ""
}
