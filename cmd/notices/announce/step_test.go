package announce

import (
	"context"
	"strings"
	"testing"

	"notices/config"
	"notices/spool"
	"notices/spool/oauth"
	"notices/spool/smtpclient"
)

// What is told of a refused login names the key that mends it, and no other.
func TestLoginStep(t *testing.T) {
	password := smtpclient.Server{Name: "1", Login: "library", SecretKey: "password_file",
		Password: func(context.Context) (string, error) { return "", nil }}
	command := smtpclient.Server{Name: "2", Login: "library", SecretKey: "token_command", Tokens: config.Secret{}}
	account := smtpclient.Server{Name: "google", Login: "library", Tokens: &oauth.Source{}}
	const (
		noAuth   = "the server offers no AUTH; is this the submission port (465 or 587) of the server?"
		only     = "the server offers AUTH by PLAIN, LOGIN only; is this the submission port (465 or 587) of the server?"
		impostor = "auth: the server did not prove that it knows the password (SCRAM-SHA-256): is this the right server?"
	)
	for _, c := range []struct {
		server *smtpclient.Server
		code   int
		text   string
		has    []string
		not    []string
	}{
		{&password, 535, "authentication failed", []string{"login and password_file of server 1"}, []string{"sign in", "token_command"}},
		{&password, 0, noAuth, []string{"offers no login", "host and port of server 1", `login = ""`}, []string{"password"}},
		{&password, 0, impostor, []string{"could not prove", "impostor", "password_file of server 1"}, []string{`login = ""`}},
		{&command, 535, "no", []string{"token_command of server 2"}, []string{"password", "sign in"}},
		{&command, 0, noAuth, []string{"offers no login", "remove token_command"}, []string{"password"}},
		{&command, 0, only, []string{"does not accept access tokens", "password_file instead of token_command of server 2"}, []string{"sign in"}},
		{&account, 535, "no", []string{"notices google-login"}, []string{"password", "token_command"}},
		{&smtpclient.Server{Name: "1"}, 530, "authentication required", []string{"requires a login", "password_file of server 1"}, nil},
	} {
		o := spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonAuth, Reply: spool.Reply{Code: c.code, Text: c.text}}
		got := nextStep(c.server, o)
		for _, words := range append(c.has, "notices test-server "+c.server.Name) {
			if !strings.Contains(got, words) {
				t.Errorf("server %s, %s: %q lacks %q", c.server.Name, c.text, got, words)
			}
		}
		for _, words := range c.not {
			if strings.Contains(got, words) {
				t.Errorf("server %s, %s: %q has %q", c.server.Name, c.text, got, words)
			}
		}
	}
}
