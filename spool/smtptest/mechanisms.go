package smtptest

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/xdg-go/scram"
)

// saslServer is the server's side of a mechanism: the answer to each response of the client.
type saslServer func(response []byte) (challenge []byte, done bool, err error)

func (s saslServer) Next(response []byte) ([]byte, bool, error) { return s(response) }

// AuthMechanisms are what AUTH offers.
func (x *session) AuthMechanisms() []string {
	o := x.s.now()
	var names []string
	switch {
	case o.Mechanisms != nil:
		names = append(names, o.Mechanisms...)
	case o.Users != nil:
		names = append(names, sasl.Plain, sasl.Login)
	}
	if o.Tokens != nil {
		names = append(names, "XOAUTH2")
	}
	return names
}

func (x *session) Auth(name string) (sasl.Server, error) {
	o := x.s.now()
	switch {
	case name == "XOAUTH2" && o.Tokens != nil:
		return x.xoauth2(&o), nil
	case o.Users == nil:
	case name == sasl.Plain:
		return sasl.NewPlainServer(func(_, login, password string) error { return x.check(o.Users, login, password) }), nil
	case name == sasl.Login:
		return x.loginMechanism(&o), nil
	case name == "SCRAM-SHA-256":
		return x.scram(&o)
	case name == "CRAM-MD5":
		return x.cram(&o), nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *session) check(known map[string]string, login, secret string) error {
	want, ok := known[login]
	if !ok || want != secret {
		x.s.count(func(c *Counts) { c.LoginErrors++ })
		return smtp.ErrAuthFailed
	}
	x.s.count(func(c *Counts) { c.Logins++ })
	x.login = login
	return nil
}

// loginMechanism is AUTH LOGIN, which go-sasl has for clients only.
func (x *session) loginMechanism(o *Options) saslServer {
	var login *string
	return func(response []byte) ([]byte, bool, error) {
		switch {
		case response == nil:
			return []byte("Username:"), false, nil
		case login == nil:
			name := string(response)
			login = &name
			return []byte("Password:"), false, nil
		}
		return nil, true, x.check(o.Users, *login, string(response))
	}
}

// xoauth2 refuses as Google does: a challenge that explains, then 535.
func (x *session) xoauth2(o *Options) saslServer {
	var refused error
	return func(response []byte) ([]byte, bool, error) {
		if refused != nil {
			return nil, true, refused
		}
		if response == nil {
			return []byte{}, false, nil
		}
		parts := strings.Split(string(response), "\x01")
		login, ok1 := strings.CutPrefix(parts[0], "user=")
		if len(parts) != 4 || !ok1 || !strings.HasPrefix(parts[1], "auth=Bearer ") {
			return nil, true, errors.New("malformed XOAUTH2 response")
		}
		if refused = x.check(o.Tokens, login, strings.TrimPrefix(parts[1], "auth=Bearer ")); refused != nil {
			return []byte(`{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`), false, nil
		}
		return nil, true, nil
	}
}

func (x *session) scram(o *Options) (sasl.Server, error) {
	server, err := scram.SHA256.NewServer(func(login string) (scram.StoredCredentials, error) {
		client, err := scram.SHA256.NewClient(login, o.Users[login], "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt of this test", Iters: 4096})
	})
	if err != nil {
		return nil, err
	}
	conversation, steps := server.NewConversation(), 0
	return saslServer(func(response []byte) ([]byte, bool, error) {
		steps++
		if login := conversation.Username(); steps == 3 { // the client has seen our signature
			return nil, true, x.check(o.Users, login, o.Users[login])
		}
		challenge, err := conversation.Step(string(response))
		switch {
		case steps == 2 && o.Impostor:
			return []byte("v=" + strings.Repeat("A", 43) + "="), false, nil
		case err != nil:
			x.s.count(func(c *Counts) { c.LoginErrors++ })
			return nil, true, smtp.ErrAuthFailed
		}
		return []byte(challenge), false, nil
	}), nil
}

const cramChallenge = "<1896.697170952@postoffice.example.org>"

func (x *session) cram(o *Options) saslServer {
	return func(response []byte) ([]byte, bool, error) {
		if response == nil {
			return []byte(cramChallenge), false, nil
		}
		login, proof, _ := strings.Cut(string(response), " ")
		mac := hmac.New(md5.New, []byte(o.Users[login]))
		mac.Write([]byte(cramChallenge))
		password := ""
		if proof == hex.EncodeToString(mac.Sum(nil)) {
			password = o.Users[login]
		}
		return nil, true, x.check(o.Users, login, password)
	}
}
