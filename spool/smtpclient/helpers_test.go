package smtpclient

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/smtptest"
)

// peer is what smtptest's servers have in common.
type peer interface {
	Host() string
	Port() int
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// inClear is a server that may be spoken to without TLS.
func inClear(p peer) *Server {
	return &Server{
		Name: "1", Host: p.Host(), Port: p.Port(), TLS: TLSStart, AllowNonSecure: true, AllowNonSecureLogin: true,
		Hello: "me.example.org", Dial: p.Dial,
	}
}

// Beginnings of scripts.
const (
	pipelining = "> 220 hello\n< EHLO me.example.org\n> 250-hello\n> 250 PIPELINING\n"
	lockstep   = "> 220 hello\n< EHLO me.example.org\n> 250 hello\n"
	flight     = "< MAIL FROM:<a@example.org>\n< RCPT TO:<b@example.org>\n< DATA\n"
	accepted   = "> 250 sender\n> 250 recipient\n> 354 go ahead\nbody\n"
	quit       = "< QUIT\n> 221 bye\n"
)

func open(t *testing.T, s *Server) *Conn {
	t.Helper()
	c, err := Open(t.Context(), s)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

const hello = "Subject: hello\r\n\r\nHello.\r\n"

func message(body string, recipients ...string) *Transaction {
	if len(recipients) == 0 {
		recipients = []string{"b@example.org"}
	}
	return &Transaction{Sender: "a@example.org", Recipients: recipients, Body: strings.NewReader(body), Size: int64(len(body))}
}

func deliver(t *testing.T, c *Conn, tr *Transaction) Result {
	t.Helper()
	r := c.Send(t.Context(), tr)
	if len(r.Outcomes) != len(tr.Recipients) {
		t.Fatalf("%d outcomes for %d recipients", len(r.Outcomes), len(tr.Recipients))
	}
	for _, o := range r.Outcomes {
		if o.Class == "" || o.Reply.Server != "1" || o.Reply.Host != c.server.Host || o.Reply.At.IsZero() {
			t.Errorf("incomplete outcome %+v", o)
		}
		checkShown(t, o.Reply.Text)
	}
	return r
}

// brief is an outcome in one line: "deferred recipient toomany 452".
func brief(o spool.Outcome) string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %d", o.Class, o.Scope, o.Reason, o.Reply.Code)), " ")
}

func briefs(r Result) string {
	var all []string
	for _, o := range r.Outcomes {
		all = append(all, brief(o))
	}
	return strings.Join(all, ", ")
}

func wantOutcomes(t *testing.T, r Result, want string) {
	t.Helper()
	if got := briefs(r); got != want {
		t.Errorf("outcomes %q, want %q (%v)", got, want, r.Outcomes)
	}
}

// wantError checks what Open failed with.
func wantError(t *testing.T, err error, want string) *Error {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("Open gave %v, want %q", err, want)
	}
	if got := brief(e.Outcome); got != want {
		t.Errorf("Open gave %q, want %q (%v)", got, want, e)
	}
	checkShown(t, e.Outcome.Reply.Text)
	return e
}

// play runs one script in the clear and one transaction against it.
func play(t *testing.T, script string, tr *Transaction) (Result, *Conn) {
	t.Helper()
	c := open(t, inClear(smtptest.Script(t, script)))
	return deliver(t, c, tr), c
}

func password(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// Time-outs where real time is needed: one that is met, and one that is not but for a
// hanging peer.
const (
	short = 200 * time.Millisecond
	long  = 3 * time.Second
)

func checkShown(t *testing.T, text string) {
	t.Helper()
	if len(text) > 500 || !utf8.ValidString(text) {
		t.Errorf("%d octets: %q", len(text), text)
	}
	if text != printable.Line(text) {
		t.Errorf("not printable: %q", text)
	}
}
