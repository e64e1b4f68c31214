package smtpclient

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool/smtptest"
)

// What can be wrong before a word is exchanged.
func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = Open(t.Context(), &Server{Name: "1", Host: "127.0.0.1", Port: port})
	e := wantError(t, err, "deferred server connect 0")
	if !strings.Contains(e.Error(), "127.0.0.1") || !strings.Contains(e.Error(), "refused") {
		t.Errorf("%v", e)
	}
	_, err = Open(t.Context(), &Server{Name: "1", Host: "no such host.invalid", Port: 25})
	if e := wantError(t, err, "deferred server dns 0"); !strings.Contains(e.Error(), "no such host.invalid") {
		t.Errorf("%v", e)
	}
	_, err = Open(t.Context(), &Server{Name: "1", Host: "mail.example.org", Port: 25, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "mail.example.org", IsNotFound: true}
	}})
	wantError(t, err, "deferred server dns 0")
}

// Greetings and EHLO answers that are no.
func TestBadGreeting(t *testing.T) {
	for script, want := range map[string]string{
		"> 554 no SMTP service here\neof":                                                    "deferred server greeting 554",
		"> 421 4.3.2 too many connections\neof":                                              "deferred server shutdown 421",
		"> 521 does not accept mail\neof":                                                    "deferred server greeting 521",
		"> 250 what?\neof":                                                                   "deferred server protocol 250",
		"> 220 hi\n< EHLO me.example.org\n> 550 5.7.1 who?\neof":                             "deferred server greeting 550",
		"> 220 hi\n< EHLO me.example.org\n> 421 4.7.0 later\neof":                            "deferred server shutdown 421",
		"> \"220 hi\\r\\n250 early\\r\\n\"\neof":                                             "deferred server protocol 0",
		"> 220 hi\n< EHLO me.example.org\n> 502 what?\n< HELO me.example.org\n> 550 no\neof": "deferred server greeting 550",
	} {
		_, err := Open(t.Context(), inClear(smtptest.Script(t, script)))
		wantError(t, err, want)
	}
}

func TestHELOWhereEHLOIsUnknown(t *testing.T) {
	c := open(t, inClear(smtptest.Script(t, "> 220 hi\n< EHLO *\n> 500 what?\n< HELO me.example.org\n> 250 hi\n"+quit)))
	c.Quit()
}

// The keywords of EHLO in any case, with what surrounds them.
func TestParseCapabilities(t *testing.T) {
	o := parseCapabilities([]byte("PIPELINING is my name\npipelining\n8BitMime\nsize 1000\nStartTLS\nAUTH login\nauth=PLAIN LOGIN\nSMTPUTF8\nX-ODD \x00 stuff\n\n"))
	if !o.pipelining || !o.eightBit || !o.utf8 || !o.startTLS || !o.size || o.maxSize != 1000 || strings.Join(o.auth, " ") != "LOGIN PLAIN LOGIN" {
		t.Errorf("%+v", o)
	}
	if o := parseCapabilities([]byte("PIPELINING\n")); o.pipelining {
		t.Error("the first line is the server's name")
	}
	for _, size := range []string{"SIZE", "SIZE 0", "SIZE x", "SIZE 99999999999999999999", "SIZE -1"} {
		if o := parseCapabilities([]byte("x\n" + size + "\n")); !o.size || o.maxSize != 0 {
			t.Errorf("%s: %+v", size, o)
		}
	}
}

// TestHelloWithoutAName: a machine that has no full name says its address, as RFC 5321
// section 4.1.4 has it, and never a name that cannot be resolved.
func TestHelloWithoutAName(t *testing.T) {
	for name, c := range map[string]struct {
		find func() string
		want string
	}{
		"found":      {func() string { return "vm.example.org" }, "vm.example.org"},
		"not found":  {func() string { return "" }, "[127.0.0.1]"},
		"not looked": {nil, "[127.0.0.1]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := inClear(smtptest.Script(t, "> 220 hello\n< EHLO "+c.want+"\n> 550 5.7.1 who?\neof"))
			s.Hello, s.FindHello = "", c.find
			_, err := Open(t.Context(), s)
			wantError(t, err, "deferred server greeting 550")
		})
	}
	if got := literal(&scripted{}); got != "[IPv6:::1]" {
		t.Errorf("IPv6: %s", got)
	}
}

// A host name that would smuggle a command in is not said.
func TestHelloIsChecked(t *testing.T) {
	for _, name := range []string{"a\r\nMAIL FROM:<x>", "a b", "a\x00"} {
		s := inClear(smtptest.Script(t, "> 220 hi\neof"))
		s.Hello = name
		_, err := Open(t.Context(), s)
		if e := wantError(t, err, "deferred server greeting 0"); !strings.Contains(e.Error(), "hostname") {
			t.Errorf("%v", e)
		}
	}
}

// The addresses of a host are tried in turn; one that does not answer does not hold up
// the next.
func TestRace(t *testing.T) {
	refused := errors.New("refused")
	dialer := func(answers map[string]time.Duration) func(context.Context, string) (net.Conn, error) {
		return func(ctx context.Context, address string) (net.Conn, error) {
			wait, ok := answers[address]
			if !ok {
				return nil, refused
			}
			select {
			case <-time.After(wait):
				client, server := net.Pipe()
				server.Close()
				return named{client, address}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	for name, c := range map[string]struct {
		answers map[string]time.Duration
		want    string
	}{
		"the first":               {map[string]time.Duration{"a": 0, "b": 0}, "a"},
		"the first refuses":       {map[string]time.Duration{"b": 0}, "b"},
		"the first is silent":     {map[string]time.Duration{"a": time.Hour, "b": 0}, "b"},
		"the first is a bit slow": {map[string]time.Duration{"a": 100 * time.Millisecond, "b": 0}, "a"},
		"only the last":           {map[string]time.Duration{"a": time.Hour, "c": time.Second}, "c"},
		"none":                    {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				won, failed, err := race(t.Context(), []string{"a", "b", "c"}, dialer(c.answers))
				if c.want == "" {
					if won != nil || len(failed) != 3 || failed[2].address != "c" || failed[2].err != refused {
						t.Errorf("%v, %v", won, failed)
					}
					return
				}
				if err != nil || won == nil || won.address != c.want || won.conn.(named).address != c.want {
					t.Errorf("%v, %v, want %s", won, err, c.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := race(ctx, []string{"a"}, dialer(map[string]time.Duration{"a": time.Hour})); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

type named struct {
	net.Conn
	address string
}

func TestAnswers(t *testing.T) {
	ca := smtptest.NewCA(t)
	srv := smtptest.New(t, smtptest.Options{})
	if what, ok := ProbePort(t.Context(), srv.Host(), srv.Port(), long, nil); !ok || !strings.Contains(what, "mail.example.org") {
		t.Errorf("%q, %v", what, ok)
	}
	implicit := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Implicit: true})
	if what, ok := ProbePort(t.Context(), "mail.example.org", 465, long, implicit.Dial); !ok || !strings.Contains(what, "220") {
		t.Errorf("%q, %v", what, ok)
	}
	noTLS := smtptest.New(t, smtptest.Options{})
	if what, ok := ProbePort(t.Context(), "mail.example.org", 465, long, noTLS.Dial); ok || what == "" {
		t.Errorf("%q, %v", what, ok)
	}
	for _, script := range []string{"silent", "drop", "> 554 go away\neof", "> HTTP/1.1 400 Bad Request\neof"} {
		p := smtptest.Script(t, script)
		if what, ok := ProbePort(t.Context(), p.Host(), p.Port(), short, nil); ok || what == "" {
			t.Errorf("%s: %q, %v", script, what, ok)
		}
	}
	for _, s := range []*smtptest.Server{srv, implicit} {
		if c := s.Commands(); len(c) > 0 {
			t.Errorf("sent %q", c)
		}
	}
}
