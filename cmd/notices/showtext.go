package main

import (
	"fmt"
	"mime"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// messageText prints a message for a person. On a terminal what is long goes on below
// where it began; elsewhere a line is a line.
type messageText struct {
	now   time.Time
	p     painter
	out   strings.Builder
	width int
}

func (a *cli) printMessage(m shownJSON) error {
	t := &messageText{now: a.Now(), p: a.painter(), width: width(a.Stdout)}
	t.all(&m)
	_, err := a.Stdout.Write([]byte(t.out.String()))
	return err
}

func (t *messageText) all(m *shownJSON) {
	t.summary(m)
	t.recipients(m.Recipients)
	t.headers(m.Headers)
	t.history(m)
}

// hang prints text behind a beginning, in a colour.
func (t *messageText) hang(beginning string, c colour, text string) {
	beginning = printable.Text(beginning)
	for i, line := range hang(beginning, printable.Text(text), t.width) {
		plain := ""
		if i == 0 {
			plain = beginning[:min(len(beginning), len(line))]
		}
		fmt.Fprintln(&t.out, plain+t.p.paint(c, line[len(plain):]))
	}
}

func (t *messageText) row(name string, c colour, format string, args ...any) {
	t.hang(pad(name, 12), c, fmt.Sprintf(format, args...))
}

func (t *messageText) title(text string) {
	fmt.Fprintln(&t.out, "\n"+t.p.paint(bold, text))
}

func (t *messageText) summary(m *shownJSON) {
	t.row("Id", "", "%s", m.ID)
	t.row("State", stateColour(m.State), "%s, %s%s", m.State, count(m.Attempts, "attempt"), advice(m))
	t.row("Sender", "", "%s", orElse(m.Sender, "<> (the null sender)"))
	t.row("Size", "", "%s", octets(m.Size))
	if m.Ref != "" {
		t.row("Reference", "", "%s", m.Ref)
	}
	if m.QueuedAt != nil {
		t.row("Queued", "", "%s (%s)", clock(*m.QueuedAt), ago(*m.QueuedAt, t.now))
	}
	switch next := m.NextSendAt; {
	case next == nil:
	case next.After(t.now):
		t.row("Next send", "", "%s (%s)", clock(*next), ago(*next, t.now))
	default:
		t.row("Next send", "", "with the next flush; due since %s (%s)", clock(*next), ago(*next, t.now))
	}
	if m.ExpiresAt != nil && m.NextSendAt != nil {
		t.row("Gives up", "", "%s (%s)", clock(*m.ExpiresAt), ago(*m.ExpiresAt, t.now))
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
		names = max(names, columns(printable.Text(to[i].Address)))
	}
	for _, r := range to {
		t.hang("  "+pad(printable.Text(r.Address), names)+"  "+pad(string(r.State), 9)+"  ", "", r.Reply)
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
			server = pad(server, len("server ")+servers) + "  "
		}
		t.hang("  "+clock(*e.At)+"  "+server+pad(told(e.Outcome), words)+"  ", outcomeColour(e.Outcome), e.Reply)
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

func outcomeColour(outcome string) colour {
	switch spool.Class(outcome) {
	case spool.Delivered:
		return green
	case spool.Failed:
		return red
	case spool.Deferred, spool.Uncertain:
		return yellow
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
