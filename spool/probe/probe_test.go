package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/smtpclient"
	"notices/spool/smtpreply"
	"notices/spool/smtptest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// bench is a server under test and the options to test it with.
type bench struct {
	server smtpclient.Server
	state  spool.State
	to     string
	open   map[int]bool // ports that answer
}

func password(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

// at is the client's side of a test server.
func at(s *smtptest.Server) smtpclient.Server {
	return smtpclient.Server{Name: "1", Host: s.Host(), Port: s.Port(), Timeout: 10 * time.Second}
}

// golden runs the test and compares what it prints with testdata/NAME.golden.
func (b *bench) golden(t *testing.T, name string) error {
	t.Helper()
	if b.state == nil {
		b.state = maildirtest.State()
	}
	if b.to == "" {
		b.to = "library@example.org"
	}
	var out strings.Builder
	o := Options{
		To: b.to, From: "library@example.org", Site: "Springfield Public Library", State: b.state,
		KeepOutages: 24 * time.Hour,
		Print:       func(line string) { out.WriteString(line + "\n") },
	}
	knock := func(_ context.Context, _ string, port int, _ time.Duration, _ smtpclient.Dialer) (string, bool) {
		return "", b.open[port]
	}
	err := run(context.Background(), b.server, o, knock)
	got := b.normal(out.String())
	if err != nil {
		got += "error: " + b.normal(err.Error()) + "\n"
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, rerr := os.ReadFile(file)
	if rerr != nil {
		t.Fatal(rerr)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
	return err
}

var (
	dates   = regexp.MustCompile(`\d{4}-\d\d-\d\d(T[\d:]+Z)?`)
	ciphers = regexp.MustCompile(`TLS_\w+`)
	prints  = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	ids     = regexp.MustCompile(`(queued as) \w+`)
)

func (b *bench) normal(s string) string {
	s = strings.ReplaceAll(s, fmt.Sprintf(":%d", b.server.Port), ":PORT")
	s = strings.ReplaceAll(s, fmt.Sprintf("port %d", b.server.Port), "port PORT")
	s = dates.ReplaceAllString(s, "DATE")
	s = prints.ReplaceAllString(s, "sha256:HEX")
	s = ciphers.ReplaceAllString(s, "CIPHER")
	return ids.ReplaceAllString(s, "$1 ID")
}

func (b *bench) result(t *testing.T) spool.TestResult {
	t.Helper()
	r, err := spool.LoadState[spool.TestResult](context.Background(), b.state, spool.TestName+b.server.Name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An account has no password: what is missing is the sign-in.
func TestNoSignIn(t *testing.T) {
	ca := smtptest.NewCA(t)
	s := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Tokens: map[string]string{"library": "good"}})
	b := bench{server: at(s)}
	b.server.Name, b.server.Login, b.server.Roots, b.server.Tokens = "google", "library", ca.Pool(), noToken{}
	if err := b.golden(t, "no-sign-in"); err == nil {
		t.Error("it works")
	}
}

type noToken struct{}

func (noToken) Token(context.Context) (string, error) {
	return "", errors.New("nobody is signed in with Google; run: notices google-login")
}

func (noToken) Refresh(context.Context, string) (string, error) { return "", errors.New("no token") }

func TestWorks(t *testing.T) {
	ca := smtptest.NewCA(t)
	s := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: map[string]string{"library": "secret"}})
	b := bench{server: at(s), state: maildirtest.State()}
	b.server.Roots, b.server.Login, b.server.Password = ca.Pool(), "library", password("secret")
	if err := b.golden(t, "works"); err != nil {
		t.Error(err)
	}
	if r := b.result(t); !r.OK || r.Detail == "" || r.Of(s.Host(), s.Port(), "other") || !r.Of(s.Host(), s.Port(), "library") || r.Host == "" || r.Of(s.Host(), s.Port()+1, "") || r.Of("other.example", s.Port(), "") || time.Since(r.At) > time.Minute {
		t.Errorf("remembered %+v", r)
	}
	m := s.Messages()
	if len(m) != 1 || m[0].Sender != "library@example.org" || m[0].Recipients[0] != "library@example.org" || !m[0].TLS || m[0].EightBit {
		t.Fatalf("%+v", m)
	}
	checkMessage(t, string(m[0].Data))
}

func checkMessage(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Error("bare LF")
	}
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || from[0].Name != "Springfield Public Library" || from[0].Address != "library@example.org" {
		t.Errorf("From %v, %v", from, err)
	}
	if _, err := m.Header.Date(); err != nil || m.Header.Get("Message-ID") == "" {
		t.Errorf("%v, header %v", err, m.Header)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !strings.Contains(string(body), "No answer is needed.") || !strings.Contains(string(body), "Springfield Public Library") {
		t.Errorf("%v, body %s", err, body)
	}
}

// A name that is not ASCII makes no message that is.
// A server that works is used again at once, whatever it was paused for.
func TestEndsPause(t *testing.T) {
	ca := smtptest.NewCA(t)
	s := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: map[string]string{"library": "secret"}})
	b := bench{server: at(s), state: maildirtest.State()}
	b.server.Roots, b.server.Login, b.server.Password = ca.Pool(), "library", password("secret")
	name := spool.HealthName + b.server.Name
	err := spool.UpdateState(context.Background(), b.state, name, false, func(h *spool.Health) error {
		h.DownUntil, h.Troubles, h.Secret, h.Since = time.Now().Add(time.Hour), 3, "salt.digest", time.Now().Add(-time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.golden(t, "works"); err != nil {
		t.Fatal(err)
	}
	if h, err := spool.LoadState[spool.Health](context.Background(), b.state, name); err != nil || !h.DownUntil.IsZero() || h.Troubles != 0 || h.Secret != "" {
		t.Errorf("%+v, %v", h, err)
	}
	if list, lasts, err := spool.LoadOutages(context.Background(), b.state, b.server.Name, time.Now()); err != nil || lasts || len(list) != 1 {
		t.Errorf("the outage that it ends is not kept: %+v, %v", list, err)
	}
}

func TestMessageIsASCII(t *testing.T) {
	for _, site := range []string{"Bibliothèque de la Ville", "図書館", "A \"quoted\" \\ name", strings.Repeat("long ", 100), "x\r\nBcc: eve@example.com"} {
		tt := &test{Options: Options{To: "to@example.org", From: "from@example.org", Site: site, Now: time.Now}}
		tr := tt.message()
		b := make([]byte, tr.Size)
		if _, err := tr.Body.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(string(b)))
		if err != nil || !ascii(string(b)) || tr.UTF8 || tr.EightBit || m.Header.Get("Bcc") != "" {
			t.Errorf("%q: %v\n%s", site, err, b)
		}
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if len(line) > 998 {
				t.Errorf("%q: line of %d octets", site, len(line))
			}
		}
	}
}

func TestStepsDown(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{TLS: smtptest.NewCA(t).TLS(t)})
	b := bench{server: at(s)}
	b.server.AllowNonSecure = true
	b.server.Roots = smtptest.NewCA(t).Pool()
	if err := b.golden(t, "steps-down"); err != nil {
		t.Error(err)
	}
}

// A server that knows only old ciphers works, and it is told.
func TestOldCiphers(t *testing.T) {
	ca := smtptest.NewCA(t)
	b := bench{server: at(smtptest.New(t, smtptest.Options{TLS: ca.RSAKeyExchange(t, tls.TLS_RSA_WITH_AES_128_CBC_SHA)}))}
	b.server.Roots = ca.Pool()
	if err := b.golden(t, "old-ciphers"); err != nil {
		t.Error(err)
	}
}

// Each address of the server is shown with what became of it.
func TestAddresses(t *testing.T) {
	ca := smtptest.NewCA(t)
	busy := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Reply: func(stage, _ string) string {
		if stage == "MAIL" {
			return "421 4.3.2 shutting down"
		}
		return ""
	}})
	good := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t)})
	b := bench{server: at(good)}
	b.server.Host, b.server.Roots = "mail.example.org", ca.Pool()
	b.server.Resolve = func(context.Context, string) ([]string, error) { return []string{"::1", "127.0.0.1", "127.0.0.2"}, nil }
	b.server.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		switch host, _, _ := net.SplitHostPort(address); host {
		case "127.0.0.1":
			return busy.Dial(ctx, network, address)
		case "127.0.0.2":
			return good.Dial(ctx, network, address)
		}
		return nil, errors.New("connection refused")
	}
	if err := b.golden(t, "addresses"); err != nil {
		t.Error(err)
	}
}

// Every stage at which a server can fail, what is printed and what is advised.
func TestFails(t *testing.T) {
	ca := smtptest.NewCA(t)
	says := func(stage, answer string) func(string, string) string {
		return func(at, _ string) string {
			if at == stage {
				return answer
			}
			return ""
		}
	}
	users := map[string]string{"library": "secret"}
	for _, c := range []struct {
		name    string
		options smtptest.Options
		change  func(*bench)
	}{
		{"greeting", smtptest.Options{Reply: says("connect", "554 5.3.2 no service")}, nil},
		{"hangs-up", smtptest.Options{Reply: says("connect", smtptest.Drop)}, func(b *bench) { b.open = map[int]bool{465: true} }},
		{"too-many-connections", smtptest.Options{Reply: says("connect", "421 4.7.0 too many connections")}, nil},
		{"no-starttls", smtptest.Options{}, func(b *bench) { b.open = map[int]bool{465: true, 25: true} }},
		{"no-implicit-tls", smtptest.Options{}, func(b *bench) { b.server.TLS = smtpclient.TLSImplicit; b.open = map[int]bool{587: true} }},
		{"wrong-name", smtptest.Options{TLS: ca.TLS(t, "mail.provider.example", "smtp.provider.example")}, nil},
		{"unknown-authority", smtptest.Options{TLS: ca.TLS(t)}, func(b *bench) { b.server.Roots = smtptest.NewCA(t).Pool() }},
		{"no-alternative-name", smtptest.Options{TLS: ca.NoAltName(t)}, nil},
		{"sha-1", smtptest.Options{TLS: ca.SHA1(t)}, nil},
		{"self-signed", smtptest.Options{TLS: smtptest.SelfSigned(t)}, nil},
		{"other-fingerprint", smtptest.Options{TLS: ca.TLS(t)}, func(b *bench) { b.server.Fingerprint = strings.Repeat("ab", 32) }},
		{"old-ciphers-refused", smtptest.Options{TLS: ca.RSAKeyExchange(t, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)}, nil},
		{"expired", smtptest.Options{TLS: ca.Expired(t)}, nil},
		{"old-tls", smtptest.Options{TLS: ca.Old(t)}, nil},
		{"wrong-password", smtptest.Options{TLS: ca.TLS(t), Users: users}, login("wrong")},
		{"no-auth-offered", smtptest.Options{TLS: ca.TLS(t)}, login("secret")},
		{"no-auth-for-token", smtptest.Options{TLS: ca.TLS(t)}, tokenCommand},
		{"token-not-offered", smtptest.Options{TLS: ca.TLS(t), Users: users}, tokenCommand},
		{"token-refused", smtptest.Options{TLS: ca.TLS(t), Tokens: map[string]string{"library": "good"}}, tokenCommand},
		{"not-proved", smtptest.Options{TLS: ca.TLS(t), Users: users, Mechanisms: []string{"SCRAM-SHA-256"}, Impostor: true}, login("secret")},
		{"account", smtptest.Options{TLS: ca.TLS(t), Reply: says("MAIL", "550 Account is suspended. Contact support")}, nil},
		{"login-wanted", smtptest.Options{TLS: ca.TLS(t), Users: users}, nil},
		{"login-in-clear", smtptest.Options{Users: users, ClearLogin: true}, func(b *bench) { login("secret")(b); b.server.AllowNonSecure = true }},
		{"login-for-now", smtptest.Options{TLS: ca.TLS(t), Users: users, Reply: says("AUTH", "454 4.7.0 too many logins")}, login("secret")},
		{"service-for-now", smtptest.Options{TLS: ca.TLS(t), Users: users, Reply: says("AUTH", "454 4.7.0 the service has a problem of its own; mail goes out later by itself")}, func(b *bench) {
			login("secret")(b)
			b.server.Name = "service"
		}},
		{"no-secret", smtptest.Options{TLS: ca.TLS(t), Users: users}, func(b *bench) {
			login("")(b)
			b.server.Password = func(context.Context) (string, error) {
				return "", errors.New("/etc/notices/server1.password: permission denied")
			}
		}},
		{"token", smtptest.Options{TLS: ca.TLS(t), Tokens: map[string]string{"library": "good"}}, func(b *bench) {
			b.server.Name, b.server.Login, b.server.Tokens = "google", "library", badToken{}
		}},
		{"relay", smtptest.Options{TLS: ca.TLS(t), Reply: says("RCPT", "550 5.7.1 relaying denied")}, func(b *bench) { b.open = map[int]bool{587: true} }},
		{"sender", smtptest.Options{TLS: ca.TLS(t), Reply: says("MAIL", "550 5.1.8 not your address")}, nil},
		{"send-as", smtptest.Options{TLS: ca.TLS(t), Reply: says("dot", "554 5.7.60 SMTP; Client does not have permissions to send as this sender")}, nil},
		{"recipient", smtptest.Options{TLS: ca.TLS(t), Reply: says("RCPT", "550 5.1.1 no such user")}, nil},
		{"spam", smtptest.Options{TLS: ca.TLS(t), Reply: says("dot", "554 5.7.0 looks like spam")}, nil},
		{"limit", smtptest.Options{TLS: ca.TLS(t), Reply: says("MAIL", "550 5.4.5 daily limit exceeded")}, nil},
		{"later", smtptest.Options{TLS: ca.TLS(t), Reply: says("MAIL", "451 4.3.0 try again")}, nil},
		{"uncertain", smtptest.Options{TLS: ca.TLS(t), Reply: says("dot", smtptest.Drop)}, nil},
		{"lost", smtptest.Options{TLS: ca.TLS(t), Reply: says("RCPT", smtptest.Drop)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := bench{server: at(smtptest.New(t, c.options))}
			b.server.Roots = ca.Pool()
			if c.change != nil {
				c.change(&b)
			}
			b.fails(t, c.name)
		})
	}
}

func (b *bench) fails(t *testing.T, name string) {
	t.Helper()
	err := b.golden(t, name)
	if e := new(Error); !errors.As(err, &e) || e.Server != b.server.Name {
		t.Errorf("error %#v", err)
	}
	if r := b.result(t); r.OK || r.Detail == "" {
		t.Errorf("remembered %+v", r)
	}
}

func login(secret string) func(*bench) {
	return func(b *bench) { b.server.Login, b.server.Password = "library", password(secret) }
}

func tokenCommand(b *bench) {
	b.server.Login, b.server.Tokens, b.server.SecretKey = "library", badToken{}, "token_command"
}

type badToken struct{}

func (badToken) Token(context.Context) (string, error)           { return "bad", nil }
func (badToken) Refresh(context.Context, string) (string, error) { return "worse", nil }

// Nobody listens: the ports that answer are named.
func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := smtpclient.Server{Name: "2", Host: "127.0.0.1", Port: port}
	for name, open := range map[string]map[int]bool{
		"no-connection": {465: true, 587: true}, "no-port": nil, "only-this-port": {25: true},
	} {
		b := bench{server: s, open: open}
		if name == "only-this-port" {
			b.server.Port = 25
			b.server.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
		}
		b.fails(t, name)
	}
}

func TestNoName(t *testing.T) {
	b := bench{server: smtpclient.Server{Name: "1", Host: "mail.exmaple.invalid", Port: 587}}
	b.server.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "mail.exmaple.invalid", IsNotFound: true}
	}
	b.fails(t, "no-name")
}

// Ports are knocked at for real by smtpclient.ProbePort.
func TestPorts(t *testing.T) {
	plain := smtptest.New(t, smtptest.Options{})
	wrapped := smtptest.New(t, smtptest.Options{TLS: smtptest.NewCA(t).TLS(t), Implicit: true})
	s := smtpclient.Server{Name: "1", Host: "mail.example.org", Port: 25}
	s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		switch _, port, _ := net.SplitHostPort(address); port {
		case "587":
			return plain.Dial(ctx, network, address)
		case "465":
			return wrapped.Dial(ctx, network, address)
		}
		return nil, errors.New("connection refused")
	}
	tt := &test{server: s, probePort: smtpclient.ProbePort}
	want := "Answering at mail.example.org: 465, 587; not answering: 25. Set port = 465 in [[server]] number 1."
	if got := tt.ports(context.Background()); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// An address that could leave its place in a command or header goes nowhere.
func TestBadAddress(t *testing.T) {
	for _, to := range []string{"", "x", "a@b>\r\nRCPT TO:<c@d"} {
		err := Run(context.Background(), smtpclient.Server{}, Options{To: to, From: "library@example.org", State: maildirtest.State()})
		if e := new(Error); err == nil || errors.As(err, &e) {
			t.Errorf("%q: %v", to, err)
		}
	}
}

// A test that was interrupted says nothing of the server.
func TestInterrupted(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{})
	ctx, stop := context.WithCancel(context.Background())
	stop()
	state := maildirtest.State()
	err := Run(ctx, at(s), Options{To: "a@example.org", From: "a@example.org", State: state})
	if b, _ := state.Load(context.Background(), spool.TestName+"1"); !errors.Is(err, context.Canceled) || b != nil {
		t.Errorf("%v, remembered %s", err, b)
	}
}

// A certificate that should have been renewed is worth a word.
func TestDescribeWarns(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		-time.Hour:                   "2029-12-31 (it has expired)",
		5*24*time.Hour + time.Minute: "2030-01-06 (5 days left: it should have been renewed)",
		40 * 24 * time.Hour:          "2030-02-10",
	} {
		c := &x509.Certificate{NotAfter: now.Add(left), DNSNames: []string{"a.example"}, Issuer: pkix.Name{CommonName: "CA 3", Organization: []string{"Org"}}}
		if got := describe(c, now); got != "for a.example, issued by Org CA 3, valid until "+want {
			t.Errorf("got %q", got)
		}
	}
}

// TestSafeList: the test message of a service names the address that patrons should add to their
// safe list, and nobody else's message does.
func TestSafeList(t *testing.T) {
	for _, c := range []struct{ server, reply, want string }{
		{"service", "PLAIN: 235 2.7.0 logged in; mail is sent from <noreply@service.example>", "safe list: noreply@service.example"},
		{"service", "PLAIN: 235 2.7.0 ok", "Patrons should add the address that this message comes from"},
		{"service", "PLAIN: 235 2.7.0 sent from <a b>", "Patrons should add the address that this message comes from"},
		{"1", "PLAIN: 235 2.7.0 sent from <noreply@service.example>", ""},
	} {
		tt := &test{Options: Options{To: "to@example.org", From: "from@example.org", Now: time.Now, Print: func(string) {}}}
		tt.server.Name = c.server
		tt.step(smtpclient.Step{Stage: smtpreply.StageAuth, Detail: c.reply})
		tr := tt.message()
		b := make([]byte, tr.Size)
		_, _ = tr.Body.ReadAt(b, 0)
		m, err := mail.ReadMessage(strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(quotedprintable.NewReader(m.Body))
		if got := strings.Contains(string(body), "safe list"); got != (c.want != "") || !strings.Contains(string(body), c.want) {
			t.Errorf("%s, %s: %s", c.server, c.reply, body)
		}
	}
}
