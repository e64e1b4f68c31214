package smtpclient

import (
	"context"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// A word, or what is short, would be guessed from what is left: of a text with it
// nothing is shown. Words of our own stay whole.
func TestMaskTellsNothing(t *testing.T) {
	for _, password := range []string{"a", "7", "pass", "server", "tls", "Password", "does"} {
		srv := smtptest.New(t, smtptest.Options{ClearLogin: true, Users: map[string]string{"library": "another"}, Reply: func(stage, line string) string {
			if stage == "AUTH" {
				return "535 5.7.8 the server does not know this TLS user or password 7"
			}
			return ""
		}})
		s := inClear(srv)
		s.Login, s.Password = "library", func(context.Context) (string, error) { return password, nil }
		s.AllowNonSecureLogin = true
		_, err := Open(t.Context(), s)
		if err == nil || !strings.HasSuffix(err.Error(), "***") || strings.Contains(strings.TrimSuffix(err.Error(), "***"), " the ") {
			t.Errorf("password %q: %v", password, err)
		}
		srv.Set(func(o *smtptest.Options) { o.Users, o.Reply = nil, nil })
		if _, err = Open(t.Context(), s); err == nil || strings.Contains(err.Error(), "***") {
			t.Errorf("password %q, own words: %v", password, err)
		}
	}
}
