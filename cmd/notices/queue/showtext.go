package queue

import (
	"fmt"
	"mime"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// messageText prints a message for a person. On a terminal what is long goes on below
// where it began; elsewhere a line is a line.
type messageText struct {
	now   time.Time
	p     term.Painter
	out   strings.Builder
	width int
}

func printMessage(program *app.Program, m shownJSON) error {
	t := &messageText{now: program.Now(), p: term.NewPainter(program.Stdout, program.Getenv), width: term.Width(program.Stdout)}
	t.all(&m)
	_, err := program.Stdout.Write([]byte(t.out.String()))
	return err
}

func (t *messageText) all(m *shownJSON) {
	t.summary(m)
	t.recipients(m.Recipients)
	t.headers(m.Headers)
	t.history(m)
}

// hang prints text behind a beginning, in a colour.
func (t *messageText) hang(beginning string, c term.Colour, text string) {
	beginning = printable.Text(beginning)
	for i, line := range term.Hang(beginning, printable.Text(text), t.width) {
		plain := ""
		if i == 0 {
			plain = beginning[:min(len(beginning), len(line))]
		}
		fmt.Fprintln(&t.out, plain+t.p.Paint(c, line[len(plain):]))
	}
}

func (t *messageText) row(name string, c term.Colour, format string, args ...any) {
	t.hang(term.Pad(name, 12), c, fmt.Sprintf(format, args...))
}

func (t *messageText) title(text string) {
	fmt.Fprintln(&t.out, "\n"+t.p.Paint(term.Bold, text))
}

func (t *messageText) summary(m *shownJSON) {
	t.row("Id", "", "%s", m.ID)
	t.row("State", stateColour(m.State), "%s, %s%s", m.State, term.Count(m.Attempts, "attempt"), advice(m))
	t.row("Sender", "", "%s", orElse(m.Sender, "<> (the null sender)"))
	t.row("Size", "", "%s", term.Octets(m.Size))
	if m.Ref != "" {
		t.row("Reference", "", "%s", m.Ref)
	}
	if m.QueuedAt != nil {
		t.row("Queued", "", "%s (%s)", term.Clock(*m.QueuedAt), term.Ago(*m.QueuedAt, t.now))
	}
	switch next := m.NextSendAt; {
	case next == nil:
	case next.After(t.now):
		t.row("Next send", "", "%s (%s)", term.Clock(*next), term.Ago(*next, t.now))
	default:
		t.row("Next send", "", "with the next flush; due since %s (%s)", term.Clock(*next), term.Ago(*next, t.now))
	}
	if m.ExpiresAt != nil && m.NextSendAt != nil {
		t.row("Gives up", "", "%s (%s)", term.Clock(*m.ExpiresAt), term.Ago(*m.ExpiresAt, t.now))
	}
	if m.LastError != "" {
		t.row("Last error", "", "%s", m.LastError)
	}
}

// advice is what to do about a message that does not go on by itself.
func advice(m *shownJSON) string {
	switch m.State {
	case spool.StateHeld:
		return fmt.Sprintf("; let it go by: notices release %s", m.ID)
	case spool.StateFailed:
		return fmt.Sprintf("; queue it afresh by: notices retry %s", m.ID)
	}
	return ""
}

func (t *messageText) recipients(to []recipientJSON) {
	t.title("Recipients")
	names := 0
	for i := range to {
		names = max(names, term.Columns(printable.Text(to[i].Address)))
	}
	for i := range to {
		r := &to[i]
		t.hang("  "+term.Pad(printable.Text(r.Address), names)+"  "+term.Pad(string(r.State), 9)+"  ", "", r.Reply)
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
		t.hang("  "+h.Name+": ", "", value)
	}
}

// history begins with the queueing, which is no event of the record.
func (t *messageText) history(m *shownJSON) {
	t.title("History")
	events := m.History
	if m.QueuedAt != nil && (len(events) == 0 || !events[0].At.Before(*m.QueuedAt)) {
		events = append([]historyJSON{{At: m.QueuedAt, Outcome: "queued"}}, events...)
	}
	servers, words := 0, 0
	for i := range events {
		servers, words = max(servers, len(events[i].Server)), max(words, len(told(events[i].Outcome)))
	}
	for i := range events {
		e := &events[i]
		server := ""
		if e.Server != "" {
			server = "server " + e.Server
		}
		if servers > 0 {
			server = term.Pad(server, len("server ")+servers) + "  "
		}
		t.hang("  "+term.Clock(*e.At)+"  "+server+term.Pad(told(e.Outcome), words)+"  ", outcomeColour(e.Outcome), e.Reply)
	}
}

// told is an outcome or event as a person would say it.
func told(outcome string) string {
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

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
