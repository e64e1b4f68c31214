package mailbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"notices/spool/smtptest"
)

// peer is a server that follows a script. It ends when the connection does.
type peer struct {
	net.Conn
	r    *bufio.Reader
	w    *world
	caps string // the answer to CAPABILITY, which the library asks for whenever it likes
}

var errGone = errors.New("the client is gone")

func (p *peer) say(lines ...string) {
	for _, line := range lines {
		if _, err := io.WriteString(p.Conn, line+"\r\n"); err != nil {
			panic(errGone)
		}
	}
}

// forever says it until the client goes.
func (p *peer) forever(text string) {
	for {
		if _, err := io.WriteString(p.Conn, text); err != nil {
			panic(errGone)
		}
	}
}

// hear waits for a command that begins so, and returns its tag.
func (p *peer) hear(command string) (tag string) {
	line, err := p.r.ReadString('\n')
	if err != nil {
		panic(errGone)
	}
	tag, rest, _ := strings.Cut(line, " ")
	if rest == "CAPABILITY\r\n" && p.caps != "" {
		p.say(p.caps, tag+" OK done")
		return p.hear(command)
	}
	if !strings.HasPrefix(rest, command) {
		p.w.t.Errorf("got %q, want %s", line, command)
	}
	return tag
}

// ok answers a command.
func (p *peer) ok(command string, lines ...string) {
	tag := p.hear(command)
	p.say(lines...)
	p.say(tag + " OK done")
}

const capabilities = "* CAPABILITY IMAP4rev1 MOVE UIDPLUS"

// begin is all until the folder is open, with so many messages.
func (p *peer) begin() {
	p.say("* OK [CAPABILITY IMAP4rev1] hello")
	p.ok("LOGIN", capabilities)
	p.ok("SELECT", "* 2 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 3] x")
}

// fetching is all until the messages are asked for.
func (p *peer) fetching() (tag string) {
	p.begin()
	p.ok("UID SEARCH", "* SEARCH 1 2")
	return p.hear("UID FETCH")
}

// untilGone answers nothing but CAPABILITY.
func (p *peer) untilGone() {
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			panic(errGone)
		}
		if tag, ok := strings.CutSuffix(line, " CAPABILITY\r\n"); ok && p.caps != "" {
			p.say(p.caps, tag+" OK done")
		}
	}
}

// peers serves each connection by the next script. TLS: with it from the first octet on.
func (w *world) peers(config *tls.Config, scripts ...func(p *peer)) {
	w.reading.Server.Dial = func(context.Context, string, string) (net.Conn, error) {
		here, there := w.pipe()
		script := scripts[0]
		scripts = scripts[1:]
		w.serving.Go(func() {
			defer there.Close()
			defer func() {
				if v := recover(); v != nil && v != errGone {
					panic(v)
				}
			}()
			p := &peer{there, bufio.NewReader(there), w, capabilities}
			if config != nil {
				p.secure(config)
			}
			script(p)
		})
		return here, nil
	}
}

func (p *peer) secure(config *tls.Config) {
	tc := tls.Server(p.Conn, config)
	if tc.Handshake() != nil {
		panic(errGone)
	}
	p.Conn, p.r = tc, bufio.NewReader(tc)
}

// wantError runs it and wants an *Error.
func (w *world) wantError(reason Reason, text string) {
	w.t.Helper()
	began := time.Now()
	_, err := w.reading.Run(w.t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Reason != reason || !strings.Contains(e.Text, text) {
		w.t.Errorf("got %v, want %s: %s", err, reason, text)
		return
	}
	if strings.Contains(err.Error(), password) || strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 1000 || len(e.Hints()) == 0 {
		w.t.Errorf("not fit to be shown: %.2000q", err.Error())
	}
	if time.Since(began) > 3*w.reading.Server.Timeout {
		w.t.Errorf("ended after %s", time.Since(began))
	}
}

func TestHostile(t *testing.T) {
	deep := "* 1 FETCH (UID 1 BODYSTRUCTURE " + strings.Repeat("(", 3000)
	for name, c := range map[string]struct {
		script func(p *peer)
		reason Reason
		text   string
	}{
		"greeting BYE":     {func(p *peer) { p.say("* BYE too busy") }, Refused, "greeting: too busy"},
		"greeting PREAUTH": {func(p *peer) { p.say("* PREAUTH welcome"); p.untilGone() }, Broken, "PREAUTH"},
		"no IMAP":          {func(p *peer) { p.say("220 mail.example.org ESMTP"); p.untilGone() }, Broken, "no proper IMAP"},
		"silent":           {(*peer).untilGone, TimeUp, "greeting: no answer within 1m0s"},
		"greeting only":    {func(p *peer) { p.say("* OK hello"); p.caps = ""; p.untilGone() }, TimeUp, "login: no answer within 1m0s"},
		"closed":           {func(*peer) {}, Lost, "the server closed the connection"},
		"endless greeting": {func(p *peer) { p.forever("* OK x") }, Broken, "more than was asked for"},
		"endless lines":    {func(p *peer) { p.say("* OK hello"); p.forever("* OK still here\r\n") }, Broken, "more than was asked for"},
		"drip": {func(p *peer) {
			for p.say("* OK hello"); ; time.Sleep(50 * time.Second) { // on the clock of a synctest bubble
				p.say("* OK still here")
			}
		}, TimeUp, "login: no answer"},
		"login refused": {func(p *peer) {
			p.say("* OK hello")
			p.say(p.hear("LOGIN") + " NO [AUTHENTICATIONFAILED] not \"" + password + "\x1b[31m\"")
			p.untilGone()
		}, Login, `login refused: not "***`},
		"login later": {func(p *peer) {
			p.say("* OK hello")
			p.say(p.hear("LOGIN") + " NO [UNAVAILABLE] try again")
			p.untilGone()
		}, Refused, "login: try again [UNAVAILABLE]"},
		"no password": {func(p *peer) {
			p.say("* OK hello")
			p.caps = "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2"
			p.untilGone()
		}, NoMethod, "LOGINDISABLED"},
		"strange tag": {func(p *peer) { p.say("* OK hello", "T99 OK done"); p.untilGone() }, Broken, "no proper IMAP"},
		"unasked for": {func(p *peer) { p.say("* OK hello", "+ go on"); p.untilGone() }, Broken, "no proper IMAP"},
		"all UIDs": {func(p *peer) {
			p.begin()
			tag := p.hear("UID SEARCH")
			p.say("* ESEARCH (TAG \""+tag+"\") UID ALL 1:4294967295", tag+" OK done")
			p.untilGone()
		}, Broken, "more than was asked for"},
		"search BAD": {func(p *peer) { p.begin(); p.say(p.hear("UID SEARCH") + " BAD what?"); p.untilGone() }, Refused, "searching: what?"},
		"cut literal": {func(p *peer) {
			p.fetching()
			p.say("* 1 FETCH (UID 1 BODY[]<0> {100}", "Return: one")
		}, Lost, "the server closed the connection"},
		"silent literal": {func(p *peer) {
			p.fetching()
			p.say("* 1 FETCH (UID 1 BODY[]<0> {100}", "Return: one")
			p.untilGone()
		}, TimeUp, "reading the mail: no answer within"},
		"giant literal": {func(p *peer) {
			p.fetching()
			p.say("* 1 FETCH (UID 1 BODY[]<0> {99999999999}")
			p.forever(strings.Repeat("x", 1<<16))
		}, Broken, "more than was asked for"},
		"giant text": {func(p *peer) {
			p.fetching()
			p.say(`* 1 FETCH (UID 1 BODY[]<0> "`)
			p.forever(strings.Repeat("x", 1<<16))
		}, Broken, "more than was asked for"},
		"giant number": {func(p *peer) { p.fetching(); p.say("* 1 FETCH (UID 1 BODY[]<0> {99999999999999999999}"); p.untilGone() }, Broken, "no proper IMAP"},
		"deep list":    {func(p *peer) { p.fetching(); p.say(deep); p.untilGone() }, Broken, "more than was asked for"},
		"messages that were not asked for": {func(p *peer) {
			p.fetching()
			p.forever("* 1 FETCH (UID 77 BODY[]<0> {3}\r\nabc)\r\n")
		}, Broken, "more than was asked for"},
		"flags BAD": {func(p *peer) {
			p.give()
			p.say(p.hear("UID STORE") + " NO read only")
			p.untilGone()
		}, Refused, `flagging messages in "INBOX": read only`},
		"cut in MOVE": {func(p *peer) {
			p.give()
			p.ok("UID STORE")
			p.hear("UID MOVE")
			p.say("* OK [COPYUID 8 1 1] x")
		}, Lost, `moving messages to "Read": the server closed the connection`},
		"silent in MOVE": {func(p *peer) {
			p.give()
			p.ok("UID STORE")
			p.hear("UID MOVE")
			p.untilGone()
		}, TimeUp, `moving messages to "Read": no answer within 1m0s`},
		"CREATE refused": {func(p *peer) {
			p.give()
			p.ok("UID STORE")
			p.say(p.hear("UID MOVE") + " NO [TRYCREATE] no such folder")
			p.say(p.hear("CREATE") + " NO not allowed")
			p.untilGone()
		}, Refused, `creating the folder "Read": not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.reading.MoveTo = "Read"
				w.peers(w.ca.TLS(w.t), c.script)
				w.wantError(c.reason, c.text)
				if strings.Contains(name, "MOVE") && w.sink.recorded["one"] != 1 {
					w.t.Error("it was not recorded before")
				}
			})
		})
	}
}

// give answers FETCH: message 1 is a return, message 2 is gone.
func (p *peer) give() {
	tag := p.fetching()
	p.say("* 1 FETCH (UID 1 BODY[]<0> {13}", "Return: one", ")", tag+" OK done")
	p.ok("SEARCH", "* SEARCH")
}

// Nothing is believed that comes before TLS, and nothing secret goes out.
func TestStartTLS(t *testing.T) {
	for name, c := range map[string]struct {
		script func(p *peer)
		reason Reason
		text   string
	}{
		"refused":     {func(p *peer) { p.say("* OK hello"); p.say(p.hear("STARTTLS") + " NO not here"); p.untilGone() }, NoTLS, "refuses STARTTLS: not here"},
		"unknown":     {func(p *peer) { p.say("* OK hello"); p.say(p.hear("STARTTLS") + " BAD unknown"); p.untilGone() }, NoTLS, "refuses STARTTLS"},
		"PREAUTH":     {func(p *peer) { p.say("* PREAUTH hello"); p.untilGone() }, NoTLS, "PREAUTH"},
		"BYE":         {func(p *peer) { p.say("* BYE busy"); p.untilGone() }, Refused, "busy"},
		"other":       {func(p *peer) { p.say("220 hello"); p.untilGone() }, Broken, "does not speak IMAP"},
		"TLS at once": {func(p *peer) { p.forever("\x16\x03\x01") }, Broken, "more than was asked for"},
		"injected":    {func(p *peer) { p.say("* OK hello"); p.say(p.hear("STARTTLS") + " OK go\r\n* OK [ALERT] evil") }, NoTLS, "behind the answer to STARTTLS"},
		"no TLS": {func(p *peer) {
			p.say("* OK hello")
			p.say(p.hear("STARTTLS") + " OK go")
			p.say("* OK no TLS at all")
			p.untilGone()
		}, NoTLS, "no TLS: "},
		"silent": {func(p *peer) { p.say("* OK hello"); p.hear("STARTTLS"); p.untilGone() }, TimeUp, "no answer"},
		"endless lines": {func(p *peer) {
			p.say("* OK hello")
			p.hear("STARTTLS")
			p.forever("* OK wait\r\n")
		}, Broken, "more than was asked for"},
		"login refused": {func(p *peer) {
			p.say("* OK hello", "* CAPABILITY IMAP4rev1 AUTH=EVIL")
			p.say("* OK wait", p.hear("STARTTLS")+" OK go")
			p.secure(p.w.ca.TLS(p.w.t))
			p.say(p.hear("LOGIN") + " NO no")
			p.untilGone()
		}, Login, "login refused: no"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.reading.Server.Implicit, w.reading.Server.Port = false, 143
				w.peers(nil, c.script)
				w.wantError(c.reason, c.text)
			})
		})
	}
}

func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		config func(w *world) *tls.Config
		text   string
	}{
		"wrong name": {func(w *world) *tls.Config { return w.ca.TLS(w.t, "other.example.org") }, "is for other.example.org, not for mail.example.org"},
		"expired":    {func(w *world) *tls.Config { return w.ca.Expired(w.t) }, "has expired"},
		"unknown":    {func(w *world) *tls.Config { return smtptest.NewCA(w.t).TLS(w.t) }, "unknown authority"},
		"old TLS": {func(w *world) *tls.Config {
			config := w.ca.TLS(w.t)
			config.MaxVersion = tls.VersionTLS11
			return config
		}, "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.peers(c.config(w), func(*peer) { w.t.Error("the handshake was done") })
				w.wantError(NoTLS, c.text)
			})
		})
	}
}

func TestNoConnection(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.Server.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "mail.example.org"}}
		}
		w.wantError(NoName, "no such host")
		w.reading.Server.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		w.wantError(NoConnection, "connection refused")
	})
}

// tokens are stale until they are refreshed.
type tokens struct{ now, next string }

func (s *tokens) Token(context.Context) (string, error) { return s.now, nil }
func (s *tokens) Refresh(_ context.Context, stale string) (string, error) {
	if stale == s.now {
		s.now = s.next
	}
	return s.now, nil
}

// withToken is a server's side of a login by token.
func withToken(name, initial, answer string, accept bool) func(p *peer) {
	return func(p *peer) {
		p.caps = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=" + name
		p.say("* OK hello")
		tag := p.hear("AUTHENTICATE " + name + " " + initial)
		if !accept {
			p.say("+ eyJzdGF0dXMiOiI0MDAifQ==")
			if line, _ := p.r.ReadString('\n'); strings.TrimSpace(line) != answer {
				p.w.t.Errorf("answer to the challenge: %q", line)
			}
			p.say(tag + " NO [AUTHENTICATIONFAILED] Invalid credentials")
			p.untilGone()
			return
		}
		p.say(tag + " OK welcome")
		p.ok("SELECT", "* 0 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 3] x")
		p.ok("LOGOUT", "* BYE bye")
	}
}

// A token that is refused is refreshed once.
func TestTokens(t *testing.T) {
	const stale, fresh = "dXNlcj1yZXR1cm5zQGV4YW1wbGUub3JnAWF1dGg9QmVhcmVyIHN0YWxlLXRva2VuAQE=", "dXNlcj1yZXR1cm5zQGV4YW1wbGUub3JnAWF1dGg9QmVhcmVyIGZyZXNoLXRva2VuAQE="
	inWorld(t, func(w *world) {
		source := &tokens{"stale-token", "fresh-token"}
		w.reading.Server.Tokens = source
		w.peers(w.ca.TLS(w.t), withToken("XOAUTH2", stale, "AQ==", false), withToken("XOAUTH2", fresh, "AQ==", true))
		w.run(0)
		w.peers(w.ca.TLS(w.t), withToken("XOAUTH2", fresh, "AQ==", false))
		w.wantError(Login, "Invalid credentials")
		w.peers(w.ca.TLS(w.t), withToken("OAUTHBEARER", "", "AQ==", true))
		w.run(0)
		w.peers(w.ca.TLS(w.t), withToken("OAUTHBEARER", "", "AQ==", false))
		w.wantError(Login, "Invalid credentials")
		w.peers(w.ca.TLS(w.t), func(p *peer) {
			p.say("* OK hello")
			p.caps = "* CAPABILITY IMAP4rev1 AUTH=PLAIN"
			p.untilGone()
		})
		w.wantError(NoMethod, "XOAUTH2")
	})
}
