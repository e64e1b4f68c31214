package mailbox

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"notices/spool/smtpclient"
	"notices/spool/smtpreply"
)

// open connects and logs in. A token that the server refuses is exchanged for another one
// once, on a new connection.
func open(ctx context.Context, server *Server) (*session, error) {
	secret, err := server.secret(ctx)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, server, secret)
	if e := (*Error)(nil); server.Tokens == nil || !errors.As(err, &e) || e.Reason != Login {
		return s, err
	}
	fresh, e := server.Tokens.Refresh(ctx, secret)
	if e != nil || fresh == secret {
		return nil, errors.Join(err, e)
	}
	return connect(ctx, server, fresh)
}

// secret reads the password or the token before anything is dialled.
func (server *Server) secret(ctx context.Context) (string, error) {
	read := server.Password
	if server.Tokens != nil {
		read = server.Tokens.Token
	}
	return read(ctx)
}

func connect(ctx context.Context, server *Server, secret string) (*session, error) {
	s := &session{server: server, judge: smtpreply.Judge{Host: server.Host, Now: server.Now}}
	s.judge.Mask(secret, plain(server.Login, secret), string(newToken("XOAUTH2", server, secret).initial), string(newToken("OAUTHBEARER", server, secret).initial))
	if err := s.dial(ctx); err != nil {
		return nil, err
	}
	err := s.do(ctx, stepTLS, lineOctets, func() error { return s.secure(ctx) })
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	s.client = imapclient.New(s.conn, nil)
	if err = s.do(ctx, "greeting", answerOctets, s.greeted); err == nil {
		err = s.do(ctx, stepLogin, answerOctets, func() error { return s.login(secret) })
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// dial connects to the first address that answers.
func (s *session) dial(ctx context.Context) error {
	dial := s.server.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: s.server.Timeout}).DialContext
	}
	nc, err := dial(ctx, "tcp", net.JoinHostPort(s.server.Host, strconv.Itoa(s.server.Port)))
	var dns *net.DNSError
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &dns):
		return s.fail(NoName, "no address for "+s.server.Host+": "+dns.Err, err)
	case err != nil:
		return s.fail(NoConnection, "no connection: "+s.why(err), err)
	}
	s.conn = &boundedConn{Conn: nc, raw: nc}
	return nil
}

// why is an error of the network without the address, which stands before it, and without the
// names of system calls.
func (s *session) why(err error) string {
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &op) && op.Timeout():
		return "no answer within " + s.server.Timeout.String()
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return s.judge.Loss(err)
}

// secure does the TLS handshake, after STARTTLS if the server does not begin with TLS. Then
// the library takes over; of STARTTLS it sees nothing but a greeting of our own.
func (s *session) secure(ctx context.Context) error {
	if !s.server.Implicit {
		if err := s.startTLS(); err != nil {
			return err
		}
		s.conn.first = []byte("* OK\r\n")
	}
	config := &tls.Config{ServerName: strings.TrimSuffix(s.server.Host, "."), RootCAs: s.server.Roots, MinVersion: tls.VersionTLS12, Time: s.server.Now}
	tc := tls.Client(s.conn.raw, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		if s.timeUp.Load() {
			return err
		}
		why := cmp.Or(smtpclient.CertificateText(err, s.server.Host, s.server.Now()), s.judge.Loss(err))
		return s.fail(NoTLS, "no TLS: "+why, err)
	}
	s.conn.Conn = tc
	return nil
}

// startTLS asks for TLS (RFC 9051 section 6.2.1). Nothing that the server says before TLS is
// believed. PREAUTH would go on without a login, and what comes behind the answer would count
// as said under TLS.
func (s *session) startTLS() error {
	r := bufio.NewReaderSize(s.conn, lineOctets)
	greeting, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	s.greetedPlainly = true
	switch word, rest := firstWord(strings.TrimPrefix(greeting, "* ")); {
	case !strings.HasPrefix(greeting, "* "), word != "OK" && word != "BYE" && word != "PREAUTH":
		return s.fail(Broken, "the server does not speak IMAP here: "+s.said(greeting, ""), nil)
	case word == "BYE":
		return s.fail(Refused, "greeting: "+s.said(rest, ""), nil)
	case word == "PREAUTH":
		return s.fail(NoTLS, "the server wants no TLS (PREAUTH)", nil)
	}
	if _, err := io.WriteString(s.conn, "S STARTTLS\r\n"); err != nil {
		return err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		tag, rest := firstWord(line)
		word, rest := firstWord(rest)
		switch {
		case tag == "*" && word != "BYE":
		case tag != "S" || word != "OK":
			return s.fail(NoTLS, "no TLS: the server refuses STARTTLS: "+s.said(rest, ""), nil)
		case r.Buffered() > 0:
			return s.fail(NoTLS, "no TLS: somebody put text behind the answer to STARTTLS", nil)
		default:
			return nil
		}
	}
}

// firstWord is in upper case.
func firstWord(line string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
	return strings.ToUpper(word), rest
}

// greeted waits for the greeting.
func (s *session) greeted() error {
	err := s.client.WaitGreeting()
	// A server that says BYE hangs up: the library then gives one of the two errors, at random
	// (v2.0.0-beta.8). What the server said is worth more.
	for tries := 0; err != nil && !errors.As(err, new(*imap.Error)) && tries < 30; tries++ {
		err = s.client.WaitGreeting()
	}
	if err != nil {
		return err
	}
	if s.client.State() == imap.ConnStateAuthenticated {
		return s.fail(Broken, "the server asks for no login (PREAUTH)", nil)
	}
	return nil
}

// login logs in, by the best way that the server offers.
func (s *session) login(secret string) error {
	caps, err := s.client.Capability().Wait()
	if err != nil {
		return err
	}
	login := s.server.Login
	offers := func(name string) bool { return caps.Has(imap.AuthCap(name)) }
	switch {
	case s.server.Tokens != nil && offers("XOAUTH2"):
		err = s.client.Authenticate(newToken("XOAUTH2", s.server, secret))
	case s.server.Tokens != nil && offers("OAUTHBEARER"):
		err = s.client.Authenticate(newToken("OAUTHBEARER", s.server, secret))
	case s.server.Tokens != nil:
		return s.fail(NoMethod, "the server offers no login by access token (XOAUTH2)", nil)
	case offers("PLAIN"):
		err = s.client.Authenticate(sasl.NewPlainClient("", login, secret))
		if said := (*imap.Error)(nil); errors.As(err, &said) && said.Type == imap.StatusResponseTypeBad && !caps.Has(imap.CapLoginDisabled) {
			err = s.client.Login(login, secret).Wait() // it offers what it does not know
		}
	case caps.Has(imap.CapLoginDisabled):
		e := s.fail(NoMethod, "the server offers no login by password (LOGINDISABLED)", nil)
		e.wantsToken = offers("XOAUTH2") || offers("OAUTHBEARER")
		return e
	default:
		err = s.client.Login(login, secret).Wait()
	}
	if said := (*imap.Error)(nil); errors.As(err, &said) {
		if said.Code == imap.ResponseCodeUnavailable || said.Code == imap.ResponseCodeInUse || said.Code == imap.ResponseCodeLimit {
			return s.fail(Refused, "login: "+s.said(said.Text, string(said.Code)), err)
		}
		return s.fail(Login, "login refused: "+s.said(said.Text, string(said.Code)), err)
	}
	if err == nil { // they may be others now
		_, err = s.client.Capability().Wait()
	}
	return err
}

func plain(login, secret string) string { return "\x00" + login + "\x00" + secret }

// token is XOAUTH2 (https://developers.google.com/workspace/gmail/imap/xoauth2-protocol) or
// OAUTHBEARER (RFC 7628). The challenge of a server explains a refusal; it has to be answered
// before the refusal itself comes.
type token struct {
	name            string
	initial, answer []byte
}

func newToken(name string, server *Server, secret string) *token {
	// XOAUTH2 wants an empty answer, for which the library sends a "=" that Dovecot calls no
	// base64; what the answer is does not matter.
	answer := []byte{1}
	if name == "XOAUTH2" {
		return &token{name, []byte("user=" + server.Login + "\x01auth=Bearer " + secret + "\x01\x01"), answer}
	}
	login := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(server.Login)
	return &token{name, fmt.Appendf(nil, "n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01", login, server.Host, server.Port, secret), answer}
}

func (t *token) Start() (string, []byte, error) { return t.name, t.initial, nil }
func (t *token) Next([]byte) ([]byte, error)    { return t.answer, nil }
