package smtpclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// However a server writes a secret, what is shown has no part of it.
func TestHideForms(t *testing.T) {
	const secret = `S3cret,=x&"7 /q`
	plain := base64.StdEncoding.EncodeToString([]byte(plainResponse("library", secret)))
	for name, echo := range map[string]string{
		"as it is":          secret,
		"upper case":        strings.ToUpper(secret),
		"lower case":        strings.ToLower(secret),
		"query":             url.QueryEscape(secret),
		"path":              url.PathEscape(secret),
		"some of it":        "S3cret%2C=x&\"7+%2Fq",
		"HTML":              html.EscapeString(secret),
		"HTML, hexadecimal": strings.NewReplacer("&", "&#x26;", `"`, "&quot;").Replace(secret),
		"quoted":            fmt.Sprintf("%q", secret),
		"quoted-printable":  "S3cret,=3Dx&=227 /q",
		"base64":            base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 for links":  base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 of more":    base64.StdEncoding.EncodeToString([]byte("ab" + secret + "cd")),
		"base64, shifted":   base64.RawStdEncoding.EncodeToString([]byte("a" + secret)),
		"response":          plain,
		"response, escaped": url.QueryEscape(plain),
		"cut off":           secret[:9],
	} {
		got := string(secretForms(secret, plainResponse("library", secret)).hide([]byte("5.7.8 bad <" + echo + "> again " + echo)))
		if !strings.HasPrefix(got, "5.7.8 bad ") || strings.Count(got, mask) != 2 || strings.Contains(got, echo[len(echo)/2:]) && echo[len(echo)/2:] != "=" {
			t.Errorf("%s: %q is shown as %q", name, echo, got)
		}
	}
	if text := "5.7.8 Error: authentication failed: 100% sure, S3cre"; string(secretForms(secret).hide([]byte(text))) != text {
		t.Error("a text without it is changed")
	}
}

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
		if err == nil || !strings.HasSuffix(err.Error(), mask) || strings.Contains(strings.TrimSuffix(err.Error(), mask), " the ") {
			t.Errorf("password %q: %v", password, err)
		}
		srv.Set(func(o *smtptest.Options) { o.Users, o.Reply = nil, nil })
		if _, err = Open(t.Context(), s); err == nil || strings.Contains(err.Error(), mask) {
			t.Errorf("password %q, own words: %v", password, err)
		}
	}
}
