package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/smtpclient"
	"notices/spool/smtptest"
)

// real is a world of real servers.
func real(t *testing.T, servers ...*smtptest.Server) *world {
	w := &world{t: t, clock: newClock(), state: &countingState{State: maildirtest.State()}}
	for i, s := range servers {
		o := Server{Connections: 4}
		o.Name, o.Host, o.Port = fmt.Sprint(i+1), s.Host(), s.Port()
		o.AllowNonSecure, o.AllowNonSecureLogin = true, true // these tests are not about TLS
		o.Timeout = 20 * time.Second
		w.servers = append(w.servers, o)
	}
	return w
}

func (w *world) realRun() *Route {
	return New(Options{Servers: w.servers, State: w.state, Now: w.clock.now, IgnoreBreaker: w.ignore})
}

func (w *world) realOnce(to ...string) spool.Delivery {
	w.t.Helper()
	r := w.realRun()
	defer w.end(r)
	return w.deliver(r, to...)
}

// dead makes server i one that nobody listens at, and counts the dials.
func (w *world) dead(i int) *atomic.Int32 {
	var dials atomic.Int32
	w.servers[i].Dial = func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, errors.New("connection refused")
	}
	return &dials
}

func ever(stage, answer string) func(string, string) string {
	return func(at, _ string) string {
		if at == stage {
			return answer
		}
		return ""
	}
}

func TestRealThousandPastADeadServer(t *testing.T) {
	one, two := smtptest.New(t, smtptest.Options{}), smtptest.New(t, smtptest.Options{})
	w := real(t, one, two)
	dials := w.dead(0)
	r := w.realRun()
	got := w.many(r, 1000)
	w.end(r)
	if got["delivered"] != 1000 || len(two.Messages()) != 1000 || dials.Load() != 1 {
		t.Errorf("%v, server 2 has %d, server 1 was dialled %d times", got, len(two.Messages()), dials.Load())
	}
	if c := two.Counts(); c.Peak > 4 || c.Connections > 4 {
		t.Errorf("%+v", c)
	}
}

func TestRealFailover(t *testing.T) {
	for stage, answer := range map[string]string{
		"connect": "554 5.3.2 not today", "EHLO": smtptest.Drop, "MAIL": "421 4.3.2 shutting down",
		"RCPT": "550 5.7.1 relaying denied", "DATA": "451 4.3.0 disk full", "dot": "550 5.4.5 daily limit exceeded",
	} {
		t.Run(stage, func(t *testing.T) {
			one, two := smtptest.New(t, smtptest.Options{Reply: ever(stage, answer)}), smtptest.New(t, smtptest.Options{})
			w := real(t, one, two)
			d := w.realOnce("ann@example.com", "bob@example.com")
			if classes(d) != "delivered delivered" || len(d.Skipped) != 1 || d.Skipped[0].Reply.Server != "1" || d.Outcomes[0].Reply.Server != "2" {
				t.Errorf("%+v", d)
			}
			if len(one.Messages()) != 0 || len(two.Messages()) != 1 {
				t.Errorf("%d and %d messages", len(one.Messages()), len(two.Messages()))
			}
		})
	}
}

func TestRealFinal(t *testing.T) {
	for _, c := range []struct{ stage, answer, classes string }{
		{"RCPT", "550 5.1.1 no such user", "failed failed"},
		{"RCPT", "452 4.2.2 mailbox full", "deferred deferred"},
		{"RCPT", "550 not here", "failed failed"},
		{"dot", smtptest.Drop, "uncertain uncertain"},
		{"QUIT", "500 what?" + smtptest.Drop, "delivered delivered"},
	} {
		one, two := smtptest.New(t, smtptest.Options{Reply: ever(c.stage, c.answer)}), smtptest.New(t, smtptest.Options{})
		w := real(t, one, two)
		if d := w.realOnce("ann@example.com", "bob@example.com"); classes(d) != c.classes || two.Counts().Connections != 0 {
			t.Errorf("%s %s: %s, server 2 asked %d times", c.stage, c.answer, classes(d), two.Counts().Connections)
		}
	}
}

// A policy's refusal of all recipients may be about us: the next server is asked.
func TestRealPolicyAtRecipient(t *testing.T) {
	for _, c := range []struct{ answer, classes, server string }{
		{"550 5.7.1 Not today", "delivered delivered", "2"},
		{"554 5.7.1 <ann@example.com>: Recipient address rejected: Go away", "delivered delivered", "2"},
		{"550 5.7.1 The recipient does not want this", "failed failed", "1"},
	} {
		one, two := smtptest.New(t, smtptest.Options{Reply: ever("RCPT", c.answer)}), smtptest.New(t, smtptest.Options{})
		w := real(t, one, two)
		d := w.realOnce("ann@example.com", "bob@example.com")
		if classes(d) != c.classes || d.Outcomes[0].Reply.Server != c.server || w.health("1").Troubles != 0 {
			t.Errorf("%s: %+v", c.answer, d)
		}
	}
}

// A server that tells only at the dot that one mailbox is full says it of a message to
// several. The next server is asked; where that is of no use, and the server takes other
// mail, each recipient is asked for alone.
func TestRealOneFullMailbox(t *testing.T) {
	var mu sync.Mutex
	to := map[string]bool{}
	full := func(at, line string) string {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case at == "MAIL":
			clear(to)
		case at == "RCPT":
			to["bob"] = to["bob"] || strings.Contains(line, "bob")
		case at == "dot" && to["bob"]:
			return "552 5.2.2 user over quota"
		}
		return ""
	}
	everybody := []string{"ann@example.com", "bob@example.com", "cat@example.com"}
	one, two := smtptest.New(t, smtptest.Options{Reply: full}), smtptest.New(t, smtptest.Options{})
	if d := real(t, one, two).realOnce(everybody...); classes(d) != "delivered delivered delivered" || len(two.Messages()) != 1 {
		t.Errorf("two servers: %+v", d)
	}
	w := real(t, one)
	if d := w.realOnce(everybody...); classes(d) != "deferred deferred deferred" || d.ServesAccount == nil {
		t.Errorf("a server that has taken nothing yet: %+v", d)
	}
	w.realOnce("dan@example.com")
	n := len(one.Messages())
	if d := w.realOnce(everybody...); classes(d) != "delivered failed delivered" || len(one.Messages()) != n+2 {
		t.Errorf("a server that takes mail: %+v", d)
	}
}

func TestRealBreakerOverRuns(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{Reply: ever("connect", "421 4.3.2 closed")})
	two := smtptest.New(t, smtptest.Options{})
	w := real(t, s, two)
	for range 3 {
		w.realOnce()
	}
	if n := s.Counts().Connections; n != 1 {
		t.Errorf("%d connections in the pause", n)
	}
	s.Set(func(o *smtptest.Options) { o.Reply = nil })
	w.clock.pass(time.Minute)
	if d := w.realOnce(); d.Outcomes[0].Reply.Server != "1" || w.health("1").Troubles != 0 {
		t.Errorf("%+v, %+v", d, w.health("1"))
	}
}

func TestRealSecret(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{Users: map[string]string{"library": "new"}, ClearLogin: true})
	w := real(t, s)
	secret := "old"
	w.servers[0].Login = "library"
	w.servers[0].Password = func(context.Context) (string, error) { return secret, nil }
	for range 3 {
		w.realOnce()
	}
	if c := s.Counts(); c.LoginErrors != 1 || c.Connections != 1 {
		t.Errorf("old password: %+v", c)
	}
	secret = "new"
	r := w.realRun()
	for range 20 {
		w.deliver(r)
	}
	w.end(r)
	if c := s.Counts(); c.Logins != 1 || len(s.Messages()) != 20 {
		t.Errorf("new password: %+v, %d messages", c, len(s.Messages()))
	}
}

// Tokens are refreshed once by smtpclient; the refused one pauses until another comes.
func TestRealToken(t *testing.T) {
	ca := smtptest.NewCA(t)
	s := smtptest.New(t, smtptest.Options{Tokens: map[string]string{"library": "good"}, TLS: ca.TLS(t)})
	w := real(t, s)
	w.servers[0].Name, w.servers[0].AllowNonSecure, w.servers[0].Roots = "google", false, ca.Pool()
	source := &tokens{now: "expired", next: "revoked"}
	w.servers[0].Login, w.servers[0].Tokens = "library", source
	w.realOnce()
	w.realOnce()
	if c := s.Counts(); c.LoginErrors != 2 || source.refreshes != 1 {
		t.Errorf("%+v, %d refreshes", c, source.refreshes)
	}
	source.now = "good"
	if d := w.realOnce(); classes(d) != "delivered" {
		t.Errorf("%+v", d)
	}
}

type tokens struct {
	now, next string
	refreshes int
}

func (s *tokens) Token(context.Context) (string, error) { return s.now, nil }
func (s *tokens) Refresh(context.Context, string) (string, error) {
	s.refreshes++
	s.now = s.next
	return s.now, nil
}

var _ smtpclient.TokenSource = (*tokens)(nil)

// The server allows what is configured and not one more. It may refuse a connection
// that replaces one that it has not noticed to be gone, which must have no consequence.
func TestRealPool(t *testing.T) {
	for _, pipelining := range []bool{true, false} {
		s := smtptest.New(t, smtptest.Options{NoPipelining: !pipelining, MaxConnections: 4})
		w := real(t, s)
		w.servers[0].MessagesPerConnection = 10
		r := w.realRun()
		got := w.many(r, 300)
		w.end(r)
		per := map[int]int{}
		for _, m := range s.Messages() {
			per[m.Connection]++
		}
		for c, n := range per {
			if n > 10 {
				t.Errorf("connection %d carried %d messages", c, n)
			}
		}
		if r.servers[0].pool.max != 4 {
			t.Errorf("connections went down to %d", r.servers[0].pool.max)
		}
		if c := s.Counts(); got["delivered"] != 300 || len(s.Messages()) != 300 || c.Peak > 4 || (c.Early > 0) != pipelining {
			t.Errorf("pipelining %v: %v, %+v", pipelining, got, c)
		}
	}
}

// The server allows fewer connections than configured, or hangs up in its own rhythm.
func TestRealFewerAndStale(t *testing.T) {
	for _, o := range []smtptest.Options{{MaxConnections: 2}, {MaxMessages: 7}, {MaxMessages: 7, NoPipelining: true}} {
		s, two := smtptest.New(t, o), smtptest.New(t, smtptest.Options{})
		w := real(t, s, two)
		r := w.realRun()
		got := w.many(r, 200)
		w.end(r)
		if got["delivered"] != 200 || len(s.Messages()) != 200 || w.health("1").Troubles != 0 {
			t.Errorf("%v, %d at server 1, %+v, %+v", got, len(s.Messages()), s.Counts(), w.health("1"))
		}
	}
}

func TestRealThousandRecipients(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{MaxRecipients: 300})
	w := real(t, s)
	w.servers[0].RecipientsPerMessage = 1000
	d := w.realOnce(addresses(1000)...)
	seen := map[string]int{}
	for _, m := range s.Messages() {
		for _, to := range m.Recipients {
			seen[to]++
		}
	}
	if len(seen) != 1000 || len(s.Messages()) != 4 || s.Counts().Connections != 1 {
		t.Errorf("%d recipients, %d transactions, %+v", len(seen), len(s.Messages()), s.Counts())
	}
	for i, o := range d.Outcomes {
		if o.Class != spool.Delivered || seen[fmt.Sprintf("patron%d@example.com", i)] != 1 {
			t.Errorf("recipient %d: %+v", i, o)
		}
	}
}

// The run is stopped while the server thinks about the final dot: its answer is
// waited for. A message that waits its turn is not sent.
func TestRealStopped(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	s := smtptest.New(t, smtptest.Options{NoPipelining: true, Reply: func(stage, _ string) string {
		if stage == "dot" {
			stop()
		}
		return ""
	}})
	w := real(t, s)
	r := w.realRun()
	d, err := r.Deliver(ctx, message("A", "ann@example.com"))
	if err != nil || classes(d) != "delivered" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := r.Deliver(ctx, message("B", "ann@example.com")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.end(r)
	if len(s.Messages()) != 1 {
		t.Errorf("%d messages", len(s.Messages()))
	}
}

// A name with two addresses, one of which is broken: the other one carries all of it, and
// the run asks the broken one once.
func TestRealNextAddress(t *testing.T) {
	for stage, answer := range map[string]string{
		"connect": smtptest.Silent, "EHLO": "421 4.3.2 busy", "MAIL": "421 4.3.2 shutting down",
	} {
		t.Run(stage, func(t *testing.T) {
			bad, good := smtptest.New(t, smtptest.Options{Reply: ever(stage, answer)}), smtptest.New(t, smtptest.Options{})
			w := real(t, bad)
			s := &w.servers[0]
			s.Host, s.MessagesPerConnection, s.Timeout = "mail.example.org", 10, 500*time.Millisecond
			s.Resolve = func(context.Context, string) ([]string, error) { return []string{"2001:db8::1", "192.0.2.1"}, nil }
			s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if host, _, _ := net.SplitHostPort(address); host == "192.0.2.1" {
					return good.Dial(ctx, network, address)
				}
				return bad.Dial(ctx, network, address)
			}
			most := 1
			if stage == "MAIL" { // as many as are open before the first one knows
				most = 2 * s.Connections // verified TLS is looked for first, on both addresses
			}
			r := w.realRun()
			got := w.many(r, 200)
			w.end(r)
			if got["delivered"] != 200 || len(good.Messages()) != 200 || bad.Counts().Connections > most {
				t.Errorf("%v, %d came, %d connections to the broken address", got, len(good.Messages()), bad.Counts().Connections)
			}
			if h := w.health("1"); h.Troubles != 0 {
				t.Errorf("%+v", h)
			}
		})
	}
}
