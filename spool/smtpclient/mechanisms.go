package smtpclient

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// Mechanisms that go-sasl has no name for.
const (
	scramSHA256 = "SCRAM-SHA-256" // RFC 7677
	cramMD5     = "CRAM-MD5"      // RFC 2195
	xoauth2Name = "XOAUTH2"
)

func newMechanism(name, login, secret string) sasl.Client {
	switch name {
	case scramSHA256:
		return newScram(login, secret)
	case cramMD5:
		return &cramClient{login, secret}
	case xoauth2Name:
		return &xoauth2{login, secret}
	case sasl.Login:
		return &loginClient{login: login, password: secret}
	}
	return sasl.NewPlainClient("", login, secret)
}

// errNotProved: with SCRAM the server shows that it knows the password, too. One that
// cannot is not the server that the password is for.
//
// NotProved tells it by the outcome.
var errNotProved = errors.New("the server did not prove that it knows the password (SCRAM-SHA-256): is this the right server?")

// maxIterations bounds the work that a server may ask for: at this number a second, more
// or less. Servers ask for 4,096 to 600,000.
const maxIterations = 1_000_000

// scramClient is AUTH SCRAM-SHA-256. The server's signature is verified by scram, that it
// came at all by Conn.loggedIn.
type scramClient struct {
	conversation *scram.ClientConversation
	steps        int
}

func newScram(login, password string) *scramClient {
	client, err := scram.SHA256.NewClient(login, password, "")
	if err != nil { // SASLprep does not allow it, but the server may
		client, _ = scram.SHA256.NewClientUnprepped(login, password, "")
	}
	return &scramClient{conversation: client.NewConversation()}
}

func (s *scramClient) Start() (string, []byte, error) {
	first, err := s.conversation.Step("")
	return scramSHA256, []byte(first), err
}

func (s *scramClient) Next(challenge []byte) ([]byte, error) {
	s.steps++
	text := string(challenge)
	switch {
	case strings.HasPrefix(text, "e="): // refused; the reply says so once more
		return []byte{}, nil
	case s.steps == 1 && iterations(text) > maxIterations:
		return nil, errors.New("the server asks for too many iterations")
	}
	response, err := s.conversation.Step(text)
	if err != nil && s.steps > 1 {
		return nil, errNotProved
	}
	return []byte(response), err
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

// cramClient is AUTH CRAM-MD5: the password itself does not travel. It is for old servers
// that have nothing else, and for connections without TLS.
type cramClient struct{ login, password string }

func (m *cramClient) Start() (string, []byte, error) { return cramMD5, nil, nil }

func (m *cramClient) Next(challenge []byte) ([]byte, error) {
	mac := hmac.New(md5.New, []byte(m.password))
	mac.Write(challenge)
	return []byte(m.login + " " + hex.EncodeToString(mac.Sum(nil))), nil
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
	return xoauth2Name, []byte(xoauth2Response(x.login, x.token)), nil
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
