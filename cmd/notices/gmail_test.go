package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"notices/spool/smtptest"
)

// office is a site that sends through a Gmail that says what it is told to.
type office struct {
	t       *testing.T
	server  *smtptest.Server
	refresh atomic.Int32 // tokens that were asked for
	dir     string
	clock   time.Time
}

func newOffice(t *testing.T, o smtptest.Options) *office {
	t.Helper()
	f := &office{t: t, dir: t.TempDir(), clock: time.Now().Truncate(time.Second)}
	ca := smtptest.NewCA(t)
	if o.Tokens == nil {
		o.Tokens = map[string]string{"library@example.org": "access-2"}
	}
	o.TLS = ca.TLS(t)
	f.server = smtptest.New(t, o)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.refresh.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"access-2","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(tokens.Close)
	f.write("ca.pem", string(ca.PEM()))
	f.write("notices.toml", fmt.Sprintf(`[site]
address = "library@example.org"
[delivery]
via = "google"
[google]
client_id = "client-1"
token_url = "%s/token"
smtp_host = "127.0.0.1"
smtp_port = %d
ca_file = "ca.pem"
[spool]
dir = "spool"
[log]
to = "%s/log"
`, tokens.URL, f.server.Port(), f.dir))
	f.signIn("access-2", time.Hour)
	return f
}

func (f *office) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// signIn keeps a sign-in whose access token lives so much longer.
func (f *office) signIn(access string, life time.Duration) {
	f.t.Helper()
	b, err := json.Marshal(map[string]any{"account": "library@example.org", "refresh_token": "refresh-1", "access_token": access,
		"scopes": []string{"openid", "email", "https://mail.google.com/"}, "issued_at": f.clock, "expires_at": f.clock.Add(life)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("spool/state/token-google", string(b))
}

// run runs the program at the office's time.
func (f *office) run(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, said strings.Builder
	a := newCLI()
	a.Stdin, a.Stdout, a.Stderr = strings.NewReader(stdin), &out, &said
	a.Now = func() time.Time { return f.clock }
	code = a.run(append([]string{"--config", filepath.Join(f.dir, "notices.toml")}, args...))
	return code, out.String(), said.String()
}

func (f *office) must(stdin string, args ...string) string {
	f.t.Helper()
	code, out, said := f.run(stdin, args...)
	if code != 0 {
		f.t.Fatalf("notices %v: exit %d\n%s%s", args, code, out, said)
	}
	return out
}

func (f *office) enqueue(recipients ...string) {
	f.t.Helper()
	f.must("Subject: Due back\n\nSoon.\n", append([]string{"enqueue"}, recipients...)...)
}

type tally struct{ Sent, Deferred, Returned, Failed int }

func (f *office) flush(args ...string) (got tally) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(f.must("", append([]string{"flush", "--json"}, args...)...)), &got); err != nil {
		f.t.Fatal(err)
	}
	return got
}

// gmail answers at one stage as Gmail or Microsoft 365 does, word for word:
// https://support.google.com/a/answer/3726730 and
// https://learn.microsoft.com/en-us/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online
var gmail = []struct {
	stage, reply string
	paused       bool // the account rests; else it is this one mail that waits
}{
	{"MAIL", "421 4.7.0 Try again later, closing connection. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp", true},
	{"MAIL", "421 4.3.0 Temporary System Problem.  Try again later. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp", true},
	{"MAIL", "421 4.4.5 Server busy, try again later. - gsmtp", true},
	{"RCPT", "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary\n450 4.2.1 error. For more information on SMTP relay limits, please go to\n450 4.2.1 https://support.google.com/a/answer/6140680 - gsmtp", true},
	{"RCPT", "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. - gsmtp", false},
	{"dot", "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852 - gsmtp", true},
	{"DATA", "550-5.4.5 Daily SMTP relay limit exceeded for user. For more information on SMTP\n550-5.4.5 relay sending limits please contact your administrator or go to\n550 5.4.5 https://support.google.com/a/answer/6140680 - gsmtp", true},
	{"dot", "550 5.7.1 Daily SMTP relay limit exceeded for customer. For more information on SMTP relay sending limits please contact your administrator - gsmtp", true},
	{"AUTH", "454 4.7.0 Too many login attempts, please try again later. - gsmtp", true},
	{"AUTH", "454 4.7.0 Cannot authenticate due to a temporary system problem. Try again later. - gsmtp", true},
	{"AUTH", "534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1&scc=1&plt=AKgnsbu> Please log in via your web browser and\n534-5.7.14 then try again.\n534 5.7.14  Learn more at https://support.google.com/mail/answer/78754 - gsmtp", true},
	{"AUTH", "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp", true},
	{"MAIL", "530-5.7.0 Authentication Required. For more information, go to\n530 5.7.0  https://support.google.com/accounts/troubleshooter/2402620. - gsmtp", true},
	{"MAIL", "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [AM0PR01.prod.outlook.com]", true},
	{"dot", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception with message The message can't be submitted because the sender's submission quota was exceeded.", true},
	{"AUTH", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.", true},
	{"AUTH", "535 5.7.3 Authentication unsuccessful [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]", true},
}

// TestGmailReplies: whatever is said of the account, no mail is returned for it, and all
// of it goes out when the account is well again.
func TestGmailReplies(t *testing.T) {
	for _, c := range gmail {
		t.Run(c.reply[:9]+" to "+c.stage, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, smtptest.Options{NoPipelining: true, Reply: func(stage, _ string) string {
				if stage == c.stage {
					return c.reply
				}
				return ""
			}})
			f.enqueue("patron1@example.net")
			f.enqueue("patron2@example.net")
			if got := f.flush(); got.Returned+got.Failed+got.Sent != 0 || got.Deferred == 0 {
				t.Errorf("flush: %+v", got)
			}
			status := f.must("", "status", "--json")
			if paused := !strings.Contains(status, `"down_until":null`); paused != c.paused {
				t.Errorf("the account rests: %v, want %v\n%s", paused, c.paused, status)
			}
			asked := f.server.Counts().Connections
			if f.flush(); c.paused && f.server.Counts().Connections != asked {
				t.Error("the next run asked again at once")
			}
			// A day on the limit is over, the token another.
			f.server.Set(func(o *smtptest.Options) { o.Reply = nil })
			f.clock = f.clock.Add(25 * time.Hour)
			f.signIn("access-2", time.Hour)
			f.must("", "retry", "--all")
			if got := f.flush(); got.Sent != 2 || len(f.server.Messages()) != 2 {
				t.Errorf("afterwards: %+v, %d arrived", got, len(f.server.Messages()))
			}
			if left := f.must("", "list"); left != "" {
				t.Errorf("left: %s", left)
			}
		})
	}
}

// TestA535RefreshesOnce: with Gmail's challenge before it. The token that comes is used;
// when that is refused as well the account rests until another comes.
func TestA535RefreshesOnce(t *testing.T) {
	f := newOffice(t, smtptest.Options{})
	f.signIn("refused", time.Hour)
	f.enqueue("patron@example.net")
	if got := f.flush(); got.Sent != 1 || f.refresh.Load() != 1 {
		t.Errorf("%+v, %d tokens were asked for", got, f.refresh.Load())
	}
	f.server.Set(func(o *smtptest.Options) { o.Tokens = map[string]string{"library@example.org": "another"} })
	f.enqueue("patron@example.net")
	if got := f.flush(); got.Deferred != 1 || f.refresh.Load() != 2 {
		t.Errorf("%+v, %d tokens were asked for", got, f.refresh.Load())
	}
	_, _, said := f.run("", "test-server")
	if !strings.Contains(said, "535") {
		t.Errorf("test-server: %s", said)
	}
}

// TestLongToken: Microsoft's tokens are longer than a line of SMTP may be.
func TestLongToken(t *testing.T) {
	long := strings.Repeat("Ew0g", 600)
	f := newOffice(t, smtptest.Options{Tokens: map[string]string{"library@example.org": long}})
	f.signIn(long, time.Hour)
	f.enqueue("patron@example.net")
	if got := f.flush(); got.Sent != 1 {
		t.Errorf("%+v", got)
	}
}

// TestManyRecipients: Gmail takes a hundred in one transaction.
func TestManyRecipients(t *testing.T) {
	f := newOffice(t, smtptest.Options{MaxRecipients: 100})
	var patrons []string
	for i := range 230 {
		patrons = append(patrons, fmt.Sprintf("patron%d@example.net", i))
	}
	f.enqueue(patrons...)
	if got := f.flush(); got.Sent != 1 || len(f.server.Messages()) != 3 {
		t.Errorf("%+v in %d transactions", got, len(f.server.Messages()))
	}
}

// TestMonthlyRefresh: a site that sends nothing keeps its sign-in.
func TestMonthlyRefresh(t *testing.T) {
	f := newOffice(t, smtptest.Options{})
	f.clock = f.clock.Add(29 * 24 * time.Hour)
	f.flush()
	if n := f.refresh.Load(); n != 0 {
		t.Errorf("%d refreshes after 29 days", n)
	}
	f.clock = f.clock.Add(3 * 24 * time.Hour)
	f.flush()
	f.flush()
	if n := f.refresh.Load(); n != 1 {
		t.Errorf("%d refreshes after 32 days, want 1", n)
	}
}
