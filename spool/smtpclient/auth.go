package smtpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"notices/spool"
	"notices/spool/smtpreply"
)

// maxCommand is the longest command line with its CRLF (RFC 5321 4.5.3.1.4). An initial
// response that does not fit goes by the continuation line (RFC 4954 section 4).
const maxCommand = 512

// maxChallenges bounds an exchange that never comes to an end.
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
	c := newConn(s, "")
	what := "password"
	if s.Tokens != nil {
		what = "token"
	}
	reason := spool.ReasonSecret
	if temporary(err) {
		reason = spool.ReasonToken
	}
	return c.judge.failed(smtpreply.StageSecret, c.judge.trouble(reason, "no "+what+" for "+s.Login+": "+err.Error(), err))
}

// temporary reports whether a token is only missing for now.
func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

// login does AUTH (RFC 4954) by the best mechanism that the server offers. One that is
// refused as such gives way to the next one, on the same connection.
func (c *Conn) login() error {
	if c.secret == "" {
		return nil
	}
	_, secure := c.wire.nc.(*tls.Conn)
	names := mechanisms(c.offers.auth, secure, c.server.Tokens != nil)
	if len(names) == 0 {
		return c.judge.failed(smtpreply.StageAuth, c.judge.trouble(spool.ReasonAuth, noMechanism(c.offers.auth), nil))
	}
	var err error
	for _, name := range names {
		if err = c.authenticate(newMechanism(name, c.server.Login, c.secret)); !mechanismRefused(err) {
			return err
		}
	}
	return err
}

// authenticate does AUTH by one mechanism. After a refusal the exchange is over; a `*`
// would cost a wait and tell nothing.
func (c *Conn) authenticate(mechanism sasl.Client) error {
	name, first, err := mechanism.Start()
	if err != nil {
		return c.judge.lost(smtpreply.StageAuth, spool.ReasonAuth, err)
	}
	line, rest := authCommand(name, first)
	for range maxChallenges {
		code, text, err := c.wire.command(line)
		switch {
		case err != nil:
			return c.judge.lost(smtpreply.StageAuth, spool.ReasonConnect, err)
		case code/100 == 2:
			return c.loggedIn(mechanism, name, code, text)
		case code != 334:
			return c.judge.refused(smtpreply.StageAuth, code, text)
		case rest != nil:
			line, rest = base64.StdEncoding.EncodeToString(rest), nil
			continue
		}
		if line, err = answer(mechanism, text); err != nil {
			return c.judge.lost(smtpreply.StageAuth, reasonOf(err), err)
		}
	}
	return c.judge.lost(smtpreply.StageAuth, spool.ReasonProtocol, smtpreply.ProtocolError{Text: "AUTH comes to no end"})
}

// loggedIn believes a 235 only when the server proved, where the mechanism has it do
// so, that it knows the password.
func (c *Conn) loggedIn(mechanism sasl.Client, name string, code int, text []byte) error {
	if m, ok := mechanism.(*scramClient); ok && !m.conversation.Valid() {
		return c.judge.lost(smtpreply.StageAuth, spool.ReasonAuth, errNotProved)
	}
	c.judge.observe(Step{Stage: smtpreply.StageAuth, Detail: name + ": " + c.judge.Reply(code, "", text).String()})
	return nil
}

func reasonOf(err error) spool.Reason {
	if errors.Is(err, errNotProved) {
		return spool.ReasonAuth
	}
	return spool.ReasonProtocol
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

// authCommand puts the initial response behind the command if it fits, else it is
// the rest that the first challenge is answered with.
func authCommand(name string, first []byte) (line string, rest []byte) {
	line = "AUTH " + name
	if first == nil {
		return line, nil
	}
	with := line + " " + base64.StdEncoding.EncodeToString(first)
	if len(with)+2 > maxCommand {
		return line, first
	}
	return with, nil
}

func answer(mechanism sasl.Client, challenge []byte) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(challenge)))
	if err != nil {
		return "", smtpreply.ProtocolError{Text: "a challenge that is no base64"}
	}
	response, err := mechanism.Next(decoded)
	switch {
	case errors.Is(err, errNotProved):
		return "", err
	case err != nil:
		return "", smtpreply.ProtocolError{Text: "an AUTH challenge that does not fit", Quoted: err.Error()}
	}
	return base64.StdEncoding.EncodeToString(response), nil
}

// mechanisms are those that suit the secret and that the server offers, the best first
// (SPEC section 5). Without TLS what keeps the password from being read on the way goes
// before what does not.
func mechanisms(offered []string, secure, tokens bool) []string {
	best := []string{scramSHA256, sasl.Plain, sasl.Login, cramMD5}
	if !secure {
		best = []string{scramSHA256, cramMD5, sasl.Plain, sasl.Login}
	}
	if tokens {
		best = []string{xoauth2Name}
	}
	return slices.DeleteFunc(best, func(name string) bool { return !slices.Contains(offered, name) })
}

// NotProved reports whether the server did not prove, by SCRAM, that it knows the password.
func NotProved(o spool.Outcome) bool {
	return o.Reply.Code == 0 && strings.HasSuffix(o.Reply.Text, errNotProved.Error())
}

const noAuth, authOnly = "the server offers no AUTH", "the server offers AUTH by "

// NoMechanism reports whether the server offers no AUTH, or none (other) that suits the secret.
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
