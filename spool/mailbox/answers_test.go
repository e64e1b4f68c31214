package mailbox

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// TestNotHandedOut: no message is passed over for good, however the server answers: the UID may
// stand behind the message, and what does not come is asked for again, and told.
func TestNotHandedOut(t *testing.T) {
	one := "BODY[]<0> {13}\r\nReturn: one\r\n"
	for name, c := range map[string]struct {
		byUID, byNumber []string
		missing         bool
	}{
		"UID behind": {[]string{"* 1 FETCH (" + one + " UID 1)"}, []string{"* 1 FETCH (" + one + " UID 1)"}, false},
		"nothing":    {nil, nil, true},
		"NIL":        {[]string{"* 1 FETCH (UID 1 BODY[]<0> NIL)"}, []string{"* 1 FETCH (UID 1 BODY[]<0> NIL)"}, true},
		"empty":      {[]string{`* 1 FETCH (UID 1 BODY[]<0> "")`}, []string{`* 1 FETCH (UID 1 BODY[]<0> "")`}, true},
		"no UID":     {[]string{"* 1 FETCH (" + one + ")"}, []string{"* 1 FETCH (" + one + ")"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				script := func(p *peer) {
					p.begin()
					p.ok("UID SEARCH", "* SEARCH 1")
					p.ok("UID FETCH", c.byUID...)
					p.ok("SEARCH UID 1", "* SEARCH 1")
					p.ok("FETCH 1", c.byNumber...)
					if !c.missing {
						p.ok("UID STORE")
					}
					p.ok("LOGOUT", "* BYE bye")
				}
				again := func(p *peer) {
					p.begin()
					p.ok("UID SEARCH", "* SEARCH 2")
					p.ok("UID FETCH 1:2", "* 1 FETCH (UID 1 "+one+")", "* 2 FETCH (UID 2 BODY[]<0> {13}", "Return: two", ")")
					p.ok("UID STORE")
					p.ok("LOGOUT", "* BYE bye")
				}
				w.peers(w.ca.TLS(w.t), script, again)
				if !c.missing {
					w.run(1)
					return
				}
				w.wantError(Broken, "did not hand out 1 of the messages that it has, such as UID 1")
				w.run(2)
				if w.sink.recorded["one"] != 1 || w.sink.recorded["two"] != 1 {
					t.Errorf("%v", w.sink.recorded)
				}
			})
		})
	}
}

// TestAdvice: an error names the key to look at.
func TestAdvice(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.Server.Implicit = false
		advised := func(words string, script func(p *peer), config *tls.Config) {
			t.Helper()
			w.reading.MoveTo = "INBOX/Read"
			w.peers(config, script)
			_, err := w.reading.Run(w.t.Context())
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Error()+"\n"+strings.Join(e.Hints(), "\n"), words) {
				t.Errorf("got %v, want %s", err, words)
			}
		}
		advised("on this port STARTTLS is used; if the server expects TLS at once, its port is usually 993", (*peer).untilGone, nil)
		w.reading.Server.Implicit = true
		advised("move_to in [bounces]", func(p *peer) {
			p.give()
			p.ok("UID STORE")
			p.say(p.hear("UID MOVE") + " NO wrong separator")
			p.untilGone()
		}, w.ca.TLS(t))
		advised("password_file", func(p *peer) { p.say("* OK hello"); p.hear("LOGIN") }, w.ca.TLS(t))
		advised("neither a plain password under TLS", func(p *peer) {
			p.say("* OK hello")
			p.caps = "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=CRAM-MD5"
			p.untilGone()
		}, w.ca.TLS(t))
		w.reading.Server.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		}
		w.wantError(NoConnection, "no connection: connection refused")
	})
}

// TestGreetingBye: what a server says before it hangs up is told, also when both are known at once.
func TestGreetingBye(t *testing.T) {
	for range 20 {
		s := replayed(&Server{Host: "mail.example.org", Port: 993, Timeout: time.Minute, Now: time.Now}, []byte("* BYE too busy\r\n"))
		s.client = imapclient.New(s.conn, nil)
		<-s.client.Closed()
		err := s.do(t.Context(), "greeting", answerOctets, s.greeted)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Reason != Refused || e.Text != "greeting: too busy" {
			t.Errorf("%v", err)
		}
		s.drop()
	}
}

// TestLoginInstead: a server may offer a mechanism that it does not know.
func TestLoginInstead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.peers(w.ca.TLS(t), func(p *peer) {
			p.caps = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN"
			p.say("* OK hello")
			p.say(p.hear("AUTHENTICATE PLAIN") + " BAD unsupported authentication mechanism")
			p.ok("LOGIN")
			p.ok("SELECT", "* 0 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 3] x")
			p.ok("LOGOUT", "* BYE bye")
		})
		w.run(0)
	})
}

// TestStoppedInHandshake: a signal that comes during the handshake is no fault of the server.
func TestStoppedInHandshake(t *testing.T) {
	inWorld(t, func(w *world) {
		w.peers(nil, (*peer).untilGone)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if _, err := w.reading.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*Error)) {
			t.Errorf("%v", err)
		}
	})
}

// TestNesting: what is nested too deeply is found outside messages, and nothing in them.
func TestNesting(t *testing.T) {
	deep := strings.Repeat("(", 200)
	for said, want := range map[string]bool{
		"* 1 FETCH (BODYSTRUCTURE " + deep: true,
		"* OK " + deep:                     true,
		"* OK (((\r\n" + strings.Repeat("* FLAGS (\\Seen (\r\n", 200):                        false, // each line anew
		"* 1 FETCH (UID 1 BODY[]<0> {200}\r\n" + deep + ")\r\n":                              false,
		"* 1 FETCH (UID 1 BODY[]<0> {200+}\r\n" + deep + "(":                                 false,
		"* 1 FETCH (UID 1 BODY[]<0> {100}\r\n" + deep:                                        true, // it ends
		`* 1 FETCH (UID 1 BODY[]<0> "` + deep + `\"((" UID 2 X ` + "{3}\r\n((()" + deep[:60]: false,
		"* OK {200}\r\n" + deep:                           true, // no literal
		"T1 OK {200}\r\n" + deep:                          true,
		"* 1 FETCH (X \"\r\n* 1 FETCH {999}\r\n\"" + deep: true, // no text goes over a line
	} {
		for _, size := range []int{1, 7, len(said)} {
			var n nesting
			got := false
			for rest := []byte(said); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				got = got || n.tooDeep(rest[:min(size, len(rest))])
			}
			if got != want {
				t.Errorf("%.60q by %d: %t", said, size, got)
			}
		}
	}
}
