package smtpout

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"notices/spool"
)

// maxCommand is the longest command line with its CRLF (RFC 5321 4.5.3.1.4). An initial
// response that does not fit goes by the continuation line (RFC 4954 section 4).
const maxCommand = 512

// maxChallenges bounds an exchange that never comes to an end.
const maxChallenges = 4

// fetchSecret gets the password or token; empty: no AUTH. That is done before anything
// is dialled: without it there is nothing to be had from the server.
func fetchSecret(ctx context.Context, s *Server) (string, error) {
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
		return "", secretTrouble(s, err)
	}
	return secret, nil
}

func secretTrouble(s *Server, err error) *Error {
	c := newConn(s, "")
	what := "password"
	if s.Tokens != nil {
		what = "token"
	}
	reason := spool.ReasonSecret
	if passes(err) {
		reason = spool.ReasonToken
	}
	e := c.trouble(reason, "no "+what+" for "+s.Login+": "+err.Error(), err)
	c.observe(Step{Stage: StageSecret, Err: e})
	return e
}

// passes reports whether a token could not be had for now only.
func passes(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

// login does AUTH (RFC 4954). After a refusal the connection is closed; a `*` would
// cost a wait and tell nothing.
func (c *Conn) login() error {
	if c.secret == "" {
		return nil
	}
	mechanism, err := c.mechanism()
	if err != nil {
		c.observe(Step{Stage: StageAuth, Err: err})
		return err
	}
	name, first, err := mechanism.Start()
	if err != nil {
		return c.lost(StageAuth, spool.ReasonAuth, err)
	}
	line, rest := authCommand(name, first)
	for range maxChallenges {
		code, text, err := c.command(line)
		switch {
		case err != nil:
			return c.lost(StageAuth, spool.ReasonConnect, err)
		case code/100 == 2:
			c.observe(Step{Stage: StageAuth, Detail: name + ": " + c.reply(code, "", text).String()})
			return nil
		case code != 334:
			return c.refused(StageAuth, code, text)
		case rest != nil:
			line, rest = base64.StdEncoding.EncodeToString(rest), nil
			continue
		}
		if line, err = answer(mechanism, text); err != nil {
			return c.lost(StageAuth, spool.ReasonProtocol, err)
		}
	}
	return c.lost(StageAuth, spool.ReasonProtocol, protocolError("AUTH comes to no end"))
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
		return "", protocolError("a challenge that is no base64")
	}
	response, err := mechanism.Next(decoded)
	if err != nil {
		return "", protocolError("an AUTH challenge that does not fit: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(response), nil
}

// mechanism picks what the server offers of what suits the secret.
func (c *Conn) mechanism() (sasl.Client, error) {
	login, secret := c.server.Login, c.secret
	offers := func(name string) bool { return slices.Contains(c.offers.auth, name) }
	switch {
	case c.server.Tokens != nil:
		if offers("XOAUTH2") {
			return &xoauth2{login, secret}, nil
		}
	case offers(sasl.Plain):
		return sasl.NewPlainClient("", login, secret), nil
	case offers(sasl.Login):
		return &loginClient{login: login, password: secret}, nil
	}
	text := "the server offers no AUTH"
	if len(c.offers.auth) > 0 {
		text = "the server offers AUTH by " + strings.Join(c.offers.auth, ", ") + " only"
	}
	return nil, c.trouble(spool.ReasonAuth, text+"; is this the submission port (465 or 587) of the server?", nil)
}

// plainResponse is what AUTH PLAIN sends (RFC 4616), to be masked in echoes.
func plainResponse(login, password string) string { return "\x00" + login + "\x00" + password }

// xoauth2 is Google's and Microsoft's mechanism, which go-sasl does not have:
// https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
type xoauth2 struct{ login, token string }

func xoauth2Response(login, token string) string {
	return "user=" + login + "\x01auth=Bearer " + token + "\x01\x01"
}

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte(xoauth2Response(x.login, x.token)), nil
}

// Next meets the JSON that explains a refusal: it wants an empty answer, then the
// 535 comes, whose code says all that can be relied upon.
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

// loginClient is AUTH LOGIN. go-sasl's insists on the prompt "Password:"; servers in the
// field ask otherwise, and some ask for the name again that came with the command. So
// the name goes as the first answer and the password as the second, whatever they say.
type loginClient struct {
	login, password string
	named           bool
}

func (l *loginClient) Start() (string, []byte, error) { return sasl.Login, nil, nil }

func (l *loginClient) Next([]byte) ([]byte, error) {
	if !l.named {
		l.named = true
		return []byte(l.login), nil
	}
	return []byte(l.password), nil
}
