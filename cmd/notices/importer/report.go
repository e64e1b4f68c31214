package importer

import (
	"fmt"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
)

// importTally is what an import did, as import --json prints it.
type importTally struct {
	Messages int           `json:"messages"`      // found
	Queued   int           `json:"queued"`        // by this run
	Before   int           `json:"queued_before"` // by an earlier one
	Refused  int           `json:"refused"`
	Marked   int           `json:"marked"` // passed over as draft or deleted
	Stopped  bool          `json:"stopped"`
	DryRun   bool          `json:"dry_run,omitempty"` // Queued is what would have been
	IDs      []spool.ID    `json:"ids"`
	Errors   []importError `json:"errors"`
	Would    []importWould `json:"would_queue,omitempty"` // by a dry run

	worst int // exit code
}

// importError is a message that was refused, or a path that could not be read.
type importError struct {
	Path    string `json:"path"`
	Message int    `json:"message,omitempty"` // its number in the mbox, from 1
	Line    int    `json:"line,omitempty"`    // that it begins in
	Error   string `json:"error"`

	code int
}

func (e importError) String() string {
	if e.Message == 0 {
		return e.Path + ": " + e.Error
	}
	return fmt.Sprintf("%s, message %d (line %d): %s", e.Path, e.Message, e.Line, e.Error)
}

// importWould is a message that an import would queue.
type importWould struct {
	Path       string   `json:"path"`
	Message    int      `json:"message,omitempty"`
	Line       int      `json:"line,omitempty"`
	Sender     string   `json:"sender"`
	Recipients []string `json:"recipients"`
	Size       int64    `json:"size"`
}

// would names a message that would be queued.
func (m *importing) would(where importError, env *spool.Envelope) {
	m.tally.Queued++
	if m.o.JSON {
		m.tally.Would = append(m.tally.Would, importWould{where.Path, where.Message, where.Line, env.Sender, env.Recipients, env.Size})
		return
	}
	const some = 5
	to := strings.Join(env.Recipients[:min(some, len(env.Recipients))], ", ")
	if more := len(env.Recipients) - some; more > 0 {
		to += fmt.Sprintf(" and %s more", term.Grouped(more))
	}
	where.Error = fmt.Sprintf("%s octets to %s", term.Grouped(int(env.Size)), to)
	m.say(where.String() + "\n")
}

// say prints a result. A reader that is gone is no reason to leave the rest.
func (m *importing) say(text string) {
	if err := m.p.PrintBare(text); err != nil && !m.mute {
		m.mute = true
		m.p.Say("what was done could not be printed: %s; the import went on all the same", err)
	}
}

// refuse names what was not queued.
func (m *importing) refuse(e importError) {
	if weight(e.code) > weight(m.tally.worst) {
		m.tally.worst = e.code
	}
	if m.o.JSON {
		m.tally.Errors = append(m.tally.Errors, e)
	}
	if m.refused++; m.refused <= mostNamed {
		m.named = append(m.named, e)
	}
}

// mostNamed is how many refusals are named one by one: more than a person reads.
const mostNamed = 1000

// nameRefused names what was not queued, at the end, where it is not lost among the ids.
func (m *importing) nameRefused() {
	for _, e := range m.named {
		m.p.Say("%s", e)
	}
	if more := m.refused - len(m.named); more > 0 {
		m.p.Say("and %s more; with --json all are named", term.Grouped(more))
	}
}

// weight orders exit codes: the worst trouble is the one to end with.
func weight(code int) int {
	for i, c := range []int{app.ExitOK, app.ExitUnknown, app.ExitBadMessage, app.ExitConfig, app.ExitIO} {
		if c == code {
			return i
		}
	}
	return 1
}

// print prints ids, in pieces that a pipe takes whole.
func (m *importing) print(ids []spool.ID) {
	const piece = 200
	if len(ids) > 0 {
		m.bar.clear() // both may be on one terminal
	}
	for len(ids) > 0 {
		var b strings.Builder
		some := ids[:min(piece, len(ids))]
		ids = ids[len(some):]
		for _, id := range some {
			b.WriteString(string(id) + "\n")
		}
		m.say(b.String())
	}
}

// report says how far the run came.
func (m *importing) report() error {
	m.nameRefused()
	m.p.Say("%s", m.tally.text(m.o))
	if !m.o.JSON {
		return nil
	}
	if m.tally.IDs == nil {
		m.tally.IDs = []spool.ID{}
	}
	if m.tally.Errors == nil {
		m.tally.Errors = []importError{}
	}
	return term.PrintJSON(m.p.Stdout, &m.tally)
}

// text is `queued 9,998 of 10,000 messages; 2 were refused, as named above`.
func (t *importTally) text(o Options) string {
	var b strings.Builder
	if t.Stopped {
		b.WriteString("stopped; ")
	}
	queued := "queued "
	if t.DryRun {
		queued = "a dry run, nothing was queued; it would queue "
	}
	switch {
	case t.Messages == 0:
		b.WriteString("no message was found")
	case t.Queued == t.Messages:
		b.WriteString(queued + messages(t.Queued))
	default:
		fmt.Fprintf(&b, "%s%s of %s", queued, term.Grouped(t.Queued), messages(t.Messages))
	}
	if t.Before > 0 && o.Again {
		fmt.Fprintf(&b, "; %s queued before it was interrupted", were(t.Before))
	} else if t.Before > 0 {
		fmt.Fprintf(&b, "; %s queued by an earlier import (--again queues such messages once more)", were(t.Before))
	}
	if t.Refused > 0 {
		fmt.Fprintf(&b, "; %s refused, as named above", were(t.Refused))
	}
	if t.Marked > 0 {
		fmt.Fprintf(&b, "; %s marked as draft or deleted in the Maildir", were(t.Marked))
	}
	switch {
	case t.DryRun:
	case o.Again && (t.Stopped || t.worst != app.ExitOK):
		b.WriteString("; run the same command with --again --continue for the rest")
	case t.Stopped:
		b.WriteString("; run the same command again, and it goes on from there")
	}
	return b.String()
}

func were(n int) string {
	if n == 1 {
		return "1 was"
	}
	return term.Grouped(n) + " were"
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return term.Grouped(n) + " messages"
}
