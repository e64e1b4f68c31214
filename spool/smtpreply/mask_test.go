package smtpreply

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

// However a server writes a secret, what is shown has no part of it.
func TestHideForms(t *testing.T) {
	const secret = `S3cret,=x&"7 /q`
	const response = "\x00library\x00" + secret // of AUTH PLAIN
	plain := base64.StdEncoding.EncodeToString([]byte(response))
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
		got := string(secretForms(secret, response).hide([]byte("5.7.8 bad <" + echo + "> again " + echo)))
		if !strings.HasPrefix(got, "5.7.8 bad ") || strings.Count(got, mask) != 2 || strings.Contains(got, echo[len(echo)/2:]) && echo[len(echo)/2:] != "=" {
			t.Errorf("%s: %q is shown as %q", name, echo, got)
		}
	}
	if text := "5.7.8 Error: authentication failed: 100% sure, S3cre"; string(secretForms(secret).hide([]byte(text))) != text {
		t.Error("a text without it is changed")
	}
}
