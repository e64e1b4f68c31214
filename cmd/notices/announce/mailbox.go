package announce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/mailbox"
	"notices/spool/printable"
)

// KeyMailbox is the key of the alert that the mailbox of [bounces] cannot be read.
const KeyMailbox = "mailbox"

// mailboxDropAfter is when an alert is forgotten because nobody reads the mailbox any more.
const mailboxDropAfter = 7 * 24 * time.Hour

// Mailbox reports how a reading of the mailbox of [bounces] ended, as Finish does for a flush: on a
// terminal and with -v every error, else one that lasts when it begins and when it is over. It
// returns the error that still has to be said.
func Mailbox(ctx context.Context, p *app.Program, state spool.State, err error) error {
	if _, terminal := app.Terminal(p.Stderr); terminal || p.Verbose {
		return err
	}
	var met []alert.Alert
	if err != nil {
		text := app.Explain(err)
		cause, _, _ := strings.Cut(text, "\n")
		met = append(met, alert.Alert{Key: KeyMailbox, Kind: mailboxKind(err), Text: text, Cause: cause, OverText: "the mailbox of [bounces] can be read again"})
	}
	now := p.Now()
	begun, ended := alert.Update(context.WithoutCancel(ctx), now, met, func(key string, _ *alert.Entry) alert.Status {
		if key == KeyMailbox {
			return alert.Resolved
		}
		return alert.Active // a flush knows
	}, append([]spool.State{state}, Spares(p)...)...)
	say(p, begun, ended, now)
	if err != nil {
		err = &app.Failure{Code: app.ExitCode(err)}
	}
	return err
}

// mailboxKind groups the errors after which a person does the same.
func mailboxKind(err error) string {
	var e *mailbox.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(app.ExitCode(err))
	}
	switch e.Reason {
	case mailbox.Login, mailbox.NoMethod:
		return "login"
	case mailbox.NoFolder, mailbox.NoTLS, mailbox.Refused:
		return string(e.Reason)
	}
	return "away"
}

// whatItWas is a cause that is over. What was to be checked while the database was away, and what waited
// for it, matters no more.
func whatItWas(cause string) string {
	if strings.Contains(cause, spool.ErrUnreachable.Error()) {
		cause, _, _ = strings.Cut(cause, "; ")
	}
	return cause
}

// say says what began and what is over.
func say(p *app.Program, begun []alert.Alert, ended []alert.Resolution, now time.Time) {
	for i := range ended {
		e := &ended[i]
		text := e.OverText + ", after " + term.Span(now.Sub(e.Since))
		if e.Cause != "" && !strings.Contains(e.OverText, e.Cause) {
			text += "; it was: " + whatItWas(e.Cause)
		}
		p.Say("%s", text)
	}
	for i := range begun {
		a := &begun[i]
		switch {
		case a.Unsent == 0:
		case a.Key == keyAside:
			a.Text += "\n" + printable.Count(a.Unsent, "more file") + " set aside since the last such message; to see where, run: notices status"
		default:
			a.Text += "\n" + printable.Count(a.Unsent, "more message") + " moved to failed/ since the last such message; to list them, run: notices list --state failed"
		}
		p.Say("%s", strings.TrimPrefix(a.Text, "\n"))
	}
}
