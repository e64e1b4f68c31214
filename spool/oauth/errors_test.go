package oauth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// What a token server can answer to a renewal, whether a person is needed, and what
// is said. Google's codes: https://developers.google.com/identity/protocols/oauth2
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		person bool
		says   []string
	}{
		{"revoked", 400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, true, []string{"notices google-login", "invalid_grant"}},
		{"session control", 400, `{"error":"invalid_grant","error_subtype":"invalid_rapt"}`, true, []string{"notices google-login"}},
		{"policy", 400, `{"error":"admin_policy_enforced"}`, true, []string{"admin_policy_enforced", "notices google-login"}},
		{"disabled", 400, `{"error":"invalid_grant","error_description":"Account disabled"}`, true, []string{"Account disabled", "notices google-login"}},
		{"client deleted", 401, `{"error":"deleted_client","error_description":"The OAuth client was deleted."}`, true, []string{"refuses the client", "client_id", "notices google-login"}},
		{"client secret", 401, `{"error":"invalid_client"}`, true, []string{"client_secret_file in [google]"}},
		{"no code", 400, ``, true, []string{"HTTP status 400", "notices google-login"}},
		{"a page", 403, `<html>Forbidden</html>`, true, []string{"HTTP status 403"}},
		{"error with 200", 200, `{"error":"invalid_grant"}`, true, []string{"notices google-login"}},
		{"echo", 400, `{"error":"invalid_grant","error_description":"bad refresh-1 and GOCSPX-very-secret"}`, true, []string{"bad *** and ***"}},
		{"controls", 400, `{"error":"invalid_grant","error_description":"a\u001b[31mb\u0000c\nd"}`, true, []string{"a?[31mb?c d"}},
		{"long", 400, fmt.Sprintf(`{"error":"invalid_grant","error_description":"%01000d"}`, 1), true, []string{"..."}},
		{"odd types", 400, `{"error":{"code":7}}`, true, []string{"HTTP status 400"}},

		{"down", 503, `<html>`, false, []string{"Google gives no token now", "HTTP status 503", "tried again"}},
		{"internal", 500, `{"error":"invalid_grant"}`, false, nil},
		{"internal failure", 400, `{"error":"internal_failure"}`, false, nil},
		{"rate", 429, ``, false, nil},
		{"too fast", 400, `{"error":"slow_down"}`, false, nil},
		{"server error", 400, `{"error":"server_error"}`, false, nil},
		{"request timeout", 408, ``, false, nil},
		{"moved", 302, ``, false, []string{"HTTP status 302"}},
		{"empty", 200, ``, false, []string{"cannot be understood"}},
		{"null", 200, `null`, false, []string{"cannot be understood"}},
		{"page with 200", 200, `<html>Sign in to the guest network`, false, []string{"cannot be understood"}},
		{"torn", 200, `{"access_token":"access-2"`, false, nil},
		{"no token", 200, `{"token_type":"Bearer"}`, false, nil},
		{"line break in the token", 200, `{"access_token":"access-2\r\nQUIT"}`, false, nil},
		{"separator in the token", 200, `{"access_token":"access-2\u0001auth=x"}`, false, nil},
		{"another kind of token", 200, `{"access_token":"access-2","token_type":"mac"}`, false, nil},
		{"odd expiry", 200, `{"access_token":"access-2","expires_in":"soon"}`, false, nil},
		{"endless", 200, `{"access_token":"` + string(make([]byte, maxAnswer)) + `"}`, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.signedIn(-time.Minute)
			before := f.stored()
			f.p.says(tokenPath, c.status, c.body)
			_, err := f.source().Token(context.Background())
			f.wantError(err, c.person, c.says...)
			after := f.stored()
			if after.Refresh != before.Refresh || after.Lease != nil {
				t.Errorf("stored %+v", after)
			}
			a, err := f.client.Peek(context.Background(), f.state)
			if err != nil || a.Account != library || a.Error == nil || a.Error.Temporary() == c.person {
				t.Errorf("status shows %+v, %v", a, err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	_, err := f.source().Token(context.Background())
	f.wantError(err, false, "no route to host", "op.example")
}

// What is wrong in the config or with its files is said with the key.
func TestSettings(t *testing.T) {
	broken := errors.New("/etc/notices/notices.toml: [google] client_secret_file names a file that does not exist: /x")
	for _, c := range []struct {
		name, id, secret, says string
		err                    error
	}{
		{"no id", "", "x", "[google] client_id is not set", nil},
		{"no file", "client-1", "", "client_secret_file names a file that does not exist", broken},
		{"web", "", `{"web":{"client_id":"w","client_secret":"s"}}`, `create one of type "Desktop app"`, nil},
		{"other JSON", "", `{"a":1}`, "is neither a secret nor the JSON file", nil},
		{"torn JSON", "", `{"installed":`, "is neither a secret nor the JSON file", nil},
		{"another client", "client-1", `{"installed":{"client_id":"w","client_secret":"s"}}`, "of another client than client_id", nil},
	} {
		f := newFixture(t)
		f.signedIn(-time.Minute)
		f.client.ID, f.client.Secret = c.id, func(context.Context) (string, error) { return c.secret, c.err }
		_, err := f.source().Token(context.Background())
		f.wantError(err, true, c.says)
		_, err = (&Login{Client: f.client, State: f.state}).Run(context.Background())
		f.wantError(err, true, c.says)
	}
}

// The file that Google's console hands out can be named as it is.
func TestConsoleFile(t *testing.T) {
	f := newFixture(t)
	f.signedIn(-time.Minute)
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	f.client.ID = ""
	f.client.Secret = func(context.Context) (string, error) {
		return `{"installed":{"client_id":"123.apps.googleusercontent.com","project_id":"p","auth_uri":"https://a","client_secret":"GOCSPX-x"}}`, nil
	}
	f.wantToken("access-2")
	form := f.p.last(t, tokenPath).form
	if form.Get("client_id") != "123.apps.googleusercontent.com" || form.Get("client_secret") != "GOCSPX-x" {
		t.Errorf("sent %v", form)
	}
}

// A client without a secret, as Microsoft's and a broker's are, sends none.
func TestPublicClient(t *testing.T) {
	f := newFixture(t)
	f.microsoft()
	f.signedIn(-time.Minute)
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	f.wantToken("access-2")
	if form := f.p.last(t, tokenPath).form; form.Has("client_secret") || form.Get("client_id") != "client-1" {
		t.Errorf("sent %v", form)
	}
}
