package smtptest

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/xdg-go/scram"
)

// scram is the server's side of SCRAM-SHA-256.
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
	return &scramServer{x: x, o: o, conversation: server.NewConversation()}, nil
}

type scramServer struct {
	x            *session
	o            *Options
	conversation *scram.ServerConversation
	steps        int
}

func (s *scramServer) Next(response []byte) ([]byte, bool, error) {
	s.steps++
	if s.steps == 3 { // the client has seen our signature
		return nil, true, s.x.check(s.o.Users, s.conversation.Username(), s.o.Users[s.conversation.Username()])
	}
	challenge, err := s.conversation.Step(string(response))
	switch {
	case s.steps == 2 && s.o.Impostor:
		return []byte("v=" + strings.Repeat("A", 43) + "="), false, nil
	case err != nil:
		s.x.s.count(func(c *Counts) { c.LoginErrors++ })
		return nil, true, smtp.ErrAuthFailed
	}
	return []byte(challenge), false, nil
}

// cramServer is the server's side of CRAM-MD5.
type cramServer struct {
	users map[string]string
	check func(login, password string) error
}

const cramChallenge = "<1896.697170952@postoffice.example.org>"

func (s *cramServer) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return []byte(cramChallenge), false, nil
	}
	login, proof, _ := strings.Cut(string(response), " ")
	mac := hmac.New(md5.New, []byte(s.users[login]))
	mac.Write([]byte(cramChallenge))
	if proof != hex.EncodeToString(mac.Sum(nil)) {
		return nil, true, s.check(login, "")
	}
	return nil, true, s.check(login, s.users[login])
}
