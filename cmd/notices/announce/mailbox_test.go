package announce

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool/alert"
	"notices/spool/maildirtest"
)

// TestMailboxOnce: cron gets a trouble of the mailbox when it begins, when it becomes another one,
// and when it is over; and nothing of what a flush has to tell.
func TestMailboxOnce(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	state := maildirtest.State()
	p := &app.Program{Config: t.TempDir() + "/none.toml", Stderr: &out, Now: func() time.Time { return now }, Getenv: func(string) string { return "" }}
	alert.Update(context.Background(), now, []alert.Alert{{Key: "server 1", Kind: "down", OverText: "server 1 works again"}}, nil, state)
	away := app.Fail(app.ExitUnavailable, "imap.example.org:993: no connection\nWhat to try:\n  - Check imap")
	refused := app.Fail(app.ExitConfig, "[bounces] ca_file: no certificate")
	for i, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{away, "What to try:"},
		{away, ""},
		{away, ""},
		{refused, "no certificate"},
		{nil, "the mailbox of [bounces] can be read again, after 4h 0m"},
		{nil, ""},
	} {
		out.Reset()
		err := Mailbox(t.Context(), p, state, c.err)
		if app.ExitCode(err) != app.ExitCode(c.err) || c.err != nil && (!errors.As(err, new(*app.Failure)) || err.Error() == c.err.Error()) {
			t.Errorf("run %d: %v", i, err)
		}
		if got := out.String(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("run %d: %q, want %q", i, got, c.want)
		}
		now = now.Add(time.Hour)
	}
	p.Verbose = true
	if err := Mailbox(t.Context(), p, state, away); err != away {
		t.Errorf("-v: %v", err)
	}
}
