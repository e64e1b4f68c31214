package smtpclient

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"notices/spool"
	"notices/spool/smtpreply"
)

// maxCommand is the longest command line with its CRLF (RFC 5321 4.5.3.1.4). An initial
// response that does not fit goes by the continuation line (RFC 4954 section 4).
const maxCommand = 512

// maxChallenges bounds an exchange that would never end.
const maxChallenges = 4

// FetchSecret reads the password or token; empty: no AUTH. That is done before anything
// is dialled: without it the server need not be asked. The error is an *Error.
func FetchSecret(ctx context.Context, s *Server) (string, error) {
	if s.Login == "" || s.Password == nil && s.Tokens == nil {
		return "", nil
	}
	fetch := s.Password
	if s.Tokens != nil {
		fetch = s.Tokens.Token
	}
	secret, err := fetch(ctx)
	if err == nil && secret == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", secretError(s, err)
	}
	return secret, nil
}

func secretError(s *Server, err error) *Error {
	what := "password"
	switch {
	case s.Tokens != nil:
		what = "token"
	case s.SecretKey == "key_file": // of [service]
		what = "key"
	}
	reason := spool.ReasonSecret
	var t interface{ Temporary() bool }
	if errors.As(err, &t) && t.Temporary() {
		reason = spool.ReasonToken
	}
	c := newConn(s, "")
	return c.judge.failed(smtpreply.StageSecret, c.judge.trouble(reason, "no "+what+" for "+s.Login+": "+err.Error(), err))
}

// login does AUTH (RFC 4954) by the best mechanism that the server offers. One that is
// refused as such gives way to the next one, on the same connection.
func (c *Conn) login() error {
	if c.secret == "" {
		return nil
	}
	_, secure := c.wire.nc.(*tls.Conn)
	names := mechanisms(c.capabilities.auth, secure, c.server.Tokens != nil)
	if len(names) == 0 {
		return c.judge.failed(smtpreply.StageAuth, c.judge.trouble(spool.ReasonAuth, noMechanism(c.capabilities.auth), nil))
	}
	var err error
	for _, name := range names {
		if err = c.authenticate(newMechanism(name, c.server.Login, c.secret)); !mechanismRefused(err) {
			return err
		}
	}
	return err
}

// mechanisms returns the mechanisms that suit the secret and that the server offers, the best
// first. Without TLS, those that do not show the password come first.
func mechanisms(offered []string, secure, tokens bool) []string {
	best := []string{authScram, authPlain, authLogin, authCramMD5}
	if !secure {
		best = []string{authScram, authCramMD5, authPlain, authLogin}
	}
	if tokens {
		best = []string{authXOAUTH2}
	}
	return slices.DeleteFunc(best, func(name string) bool { return !slices.Contains(offered, name) })
}

// authenticate does AUTH by one mechanism. A refusal ends the exchange; a `*` would only cost
// a wait.
func (c *Conn) authenticate(m *mechanism) error {
	line, rest := "AUTH "+m.name, m.initial
	if with := line + " " + base64.StdEncoding.EncodeToString(rest); rest != nil && len(with)+2 <= maxCommand {
		line, rest = with, nil
	}
	for range maxChallenges {
		code, text, err := c.wire.command(line)
		switch {
		case err != nil:
			return c.judge.lost(smtpreply.StageAuth, spool.ReasonConnect, err)
		case code/100 == 2 && m.proved != nil && !m.proved():
			return c.judge.lost(smtpreply.StageAuth, spool.ReasonAuth, errNotProved)
		case code/100 == 2:
			c.judge.observe(Step{Stage: smtpreply.StageAuth, Detail: m.name + ": " + c.judge.Reply(code, "", text).String()})
			return nil
		case code != 334:
			return c.judge.refused(smtpreply.StageAuth, code, text)
		case rest != nil:
			line, rest = base64.StdEncoding.EncodeToString(rest), nil
			continue
		}
		if line, err = m.answer(text); err != nil {
			return c.judge.lost(smtpreply.StageAuth, spool.ReasonAuth, err)
		}
	}
	return c.judge.lost(smtpreply.StageAuth, spool.ReasonProtocol, smtpreply.ProtocolError{Text: "AUTH does not end"})
}

// mechanismRefused reports whether it was the mechanism that the server refused and not
// the login: 504, and 534 or the words that servers use (RFC 4954 sections 4 and 6).
// Google says 534 to an ordinary password, too; another mechanism does not help there.
func mechanismRefused(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	r := e.Outcome.Reply
	text := strings.ToLower(r.Text)
	return r.Code == 504 || r.Code == 534 && !strings.Contains(text, "password") ||
		r.Code/100 == 5 && (strings.Contains(text, "mechanism") || strings.Contains(text, "authentication type"))
}

// mechanism is one way to log in (RFC 4422).
type mechanism struct {
	name    string
	initial []byte // the response that goes with the command; nil: none
	// next answers a challenge of the server; nil: the server must not send one.
	next func(challenge []byte) ([]byte, error)
	// proved reports whether the server showed that it knows the password; nil: it need not.
	proved func() bool
}

// Names of mechanisms.
const (
	authPlain   = "PLAIN" // RFC 4616
	authLogin   = "LOGIN"
	authScram   = "SCRAM-SHA-256" // RFC 7677
	authCramMD5 = "CRAM-MD5"      // RFC 2195
	authXOAUTH2 = "XOAUTH2"       // https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
)

func newMechanism(name, login, secret string) *mechanism {
	m := &mechanism{name: name}
	switch name {
	case authScram:
		m.scram(login, secret)
	case authCramMD5: // for old servers that have nothing else, and for connections without TLS
		m.next = func(challenge []byte) ([]byte, error) {
			mac := hmac.New(md5.New, []byte(secret))
			mac.Write(challenge)
			return []byte(login + " " + hex.EncodeToString(mac.Sum(nil))), nil
		}
	case authXOAUTH2:
		m.initial = []byte(xoauth2Response(login, secret))
		// The challenge is JSON that explains a refusal. It wants an empty answer, and then the 535
		// comes. Only its code can be relied upon.
		m.next = func([]byte) ([]byte, error) { return nil, nil }
	case authLogin:
		// Servers ask with various prompts, and some ask for the name again that came with the
		// command. So the name goes as the first answer and the password as the second.
		answer := login
		m.next = func([]byte) ([]byte, error) {
			response := []byte(answer)
			answer = secret
			return response, nil
		}
	case authPlain:
		m.initial = []byte(plainResponse(login, secret))
	}
	return m
}

func plainResponse(login, password string) string { return "\x00" + login + "\x00" + password }

func xoauth2Response(login, token string) string {
	return "user=" + login + "\x01auth=Bearer " + token + "\x01\x01"
}

// answer is the line that answers a challenge.
func (m *mechanism) answer(challenge []byte) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(challenge)))
	if err != nil {
		return "", smtpreply.ProtocolError{Text: "an AUTH challenge that is not base64"}
	}
	if m.next == nil {
		return "", smtpreply.ProtocolError{Text: "an AUTH challenge where none belongs"}
	}
	response, err := m.next(decoded)
	if err != nil && err != errNotProved {
		err = smtpreply.ProtocolError{Text: "an AUTH challenge that does not fit", Quoted: err.Error()}
	}
	return base64.StdEncoding.EncodeToString(response), err
}

// errNotProved: with SCRAM the server has to prove that it knows the password, too. One that
// cannot is not the server that the password is for. NotProved recognises it in an outcome.
var errNotProved = errors.New("the server did not prove that it knows the password (SCRAM-SHA-256): is this the right server?")

// maxIterations bounds the work that a server may ask for: at this number a second, more
// or less. Servers ask for 4,096 to 600,000.
const maxIterations = 1_000_000

// scram leaves the conversation to the library, which verifies the server's signature. proved
// reports whether there was one at all.
func (m *mechanism) scram(login, password string) {
	client, err := scram.SHA256.NewClient(login, password, "")
	if err != nil { // SASLprep does not allow it, but the server may
		client, _ = scram.SHA256.NewClientUnprepped(login, password, "")
	}
	conversation := client.NewConversation()
	first, _ := conversation.Step("") // only later steps can fail
	m.initial, m.proved = []byte(first), conversation.Valid
	steps := 0
	m.next = func(challenge []byte) ([]byte, error) {
		steps++
		text := string(challenge)
		switch {
		case strings.HasPrefix(text, "e="): // refused; the reply says so once more
			return nil, nil
		case steps == 1 && iterations(text) > maxIterations:
			return nil, errors.New("the server asks for too many iterations")
		}
		response, err := conversation.Step(text)
		if err != nil && steps > 1 {
			return nil, errNotProved
		}
		return []byte(response), err
	}
}

// iterations is the i= of the server's first message (RFC 5802 section 5.1).
func iterations(first string) int {
	for part := range strings.SplitSeq(first, ",") {
		if n, ok := strings.CutPrefix(part, "i="); ok {
			if n, err := strconv.Atoi(n); err == nil {
				return n
			}
			return maxIterations + 1
		}
	}
	return 0
}

// NotProved reports whether the server did not prove, by SCRAM, that it knows the password.
func NotProved(o spool.Outcome) bool {
	return o.Reply.Code == 0 && strings.HasSuffix(o.Reply.Text, errNotProved.Error())
}

const noAuth, authOnly = "the server offers no AUTH", "the server offers AUTH by "

// NoMechanism reports whether the server offers no AUTH at all (none), or only mechanisms that do
// not suit the secret (other).
func NoMechanism(o spool.Outcome) (none, other bool) {
	text := o.Reply.Text
	return o.Reply.Code == 0 && strings.HasPrefix(text, noAuth), o.Reply.Code == 0 && strings.HasPrefix(text, authOnly)
}

func noMechanism(offered []string) string {
	text := noAuth
	if len(offered) > 0 {
		text = authOnly + strings.Join(offered, ", ") + " only"
	}
	return text + "; is this the submission port (465 or 587) of the server?"
}
