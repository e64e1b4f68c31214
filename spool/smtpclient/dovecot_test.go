package smtpclient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

// Dovecot's submission service offers PIPELINING, and aborts when the next message's
// RCPT waits while it answers a final dot.
func TestNothingGoesBehindDovecotsDot(t *testing.T) {
	for greeting, want := range map[string]bool{"mail.example.org Dovecot (Debian) ready.": false, "mail.example.org ESMTP Postfix": true} {
		script := strings.Replace(pipelining, "220 hello", "220 "+greeting, 1) + quit
		c := open(t, inClear(smtptest.Pipe(t, script)))
		if c.Pipelines() != want {
			t.Errorf("%s: %v", greeting, c.Pipelines())
		}
		c.Quit()
	}
}

// notNow is a token that the provider does not give for the moment.
type notNow struct{ error }

func (notNow) Temporary() bool { return true }

// A token that cannot be had for now needs no person; one that cannot be had does.
func TestNoTokenForNow(t *testing.T) {
	for _, c := range []struct {
		err    error
		reason spool.Reason
	}{{notNow{errors.New("the provider is away")}, spool.ReasonToken}, {errors.New("revoked"), spool.ReasonSecret}} {
		s := &Server{Name: "google", Host: "127.0.0.1", Port: 1, Login: "library", Tokens: &tokens{err: c.err}}
		_, err := Open(context.Background(), s)
		var e *Error
		if !errors.As(err, &e) || e.Outcome.Reason != c.reason || e.Outcome.NeedsPerson() != (c.reason == spool.ReasonSecret) {
			t.Errorf("%v: %+v", c.err, e)
		}
	}
}
