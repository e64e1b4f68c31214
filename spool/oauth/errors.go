package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"

	"notices/spool/printable"
)

// Error is why there is no token. Its text says what to do and holds no secret.
type Error struct {
	Provider string // "google"
	Account  string // if it is known
	Code     string // the provider's: "invalid_grant"; empty: it gave none
	text     string
	passes   bool
	err      error
}

func (e *Error) Error() string { return e.text }

func (e *Error) Unwrap() error { return e.err }

// Temporary reports whether waiting can help.
func (e *Error) Temporary() bool { return e.passes }

// NeedsPerson reports whether a person has to do what the text says.
func (e *Error) NeedsPerson() bool { return !e.passes }

// person makes an error that waiting does not cure.
func (c *Client) person(account, code, text string) *Error {
	return &Error{Provider: c.Provider.Key, Account: account, Code: code, text: text}
}

// setting is a mistake in the config or in a file that it names.
func (c *Client) setting(text string, err error) *Error {
	return &Error{Provider: c.Provider.Key, text: text, err: err}
}

func (c *Client) notSignedIn() *Error {
	return c.person("", "", fmt.Sprintf("nobody is signed in with %s; run: %s", c.Provider.Name, c.Provider.login()))
}

// answer is what a token server said instead of a token.
type answer struct {
	status      int // 0: nothing came
	code, words string
}

// answerOf takes apart what x/oauth2 returned; nil: the server was not heard.
func answerOf(err error) *answer {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) || re.Response == nil {
		return nil
	}
	a := &answer{status: re.Response.StatusCode, code: re.ErrorCode, words: re.ErrorDescription}
	if a.code == "" { // the assertion of a service account is not taken apart there
		var body struct {
			Code  any    `json:"error"`
			Words string `json:"error_description"`
		}
		if json.Unmarshal(re.Body, &body) == nil {
			a.code, _ = body.Code.(string)
			a.words = body.Words
		}
	}
	return a
}

// passes reports whether the same request may be answered otherwise later: RFC 6749 5.2
// has no code for that, so it goes by the status, and by the codes of the authorization
// endpoint that some servers use here too. A refusal without any code needs a person.
func (a *answer) passes() bool {
	switch a.code {
	case "server_error", "temporarily_unavailable", "slow_down", "rate_limit_exceeded", "internal_failure", "quota_exceeded":
		return true
	}
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return a.status > 499 || a.status < 400 && a.code == ""
}

// String is `invalid_grant: Token has been expired or revoked.`
func (a *answer) String() string {
	parts := []string{fmt.Sprintf("HTTP status %d", a.status)}
	if a.code != "" {
		parts = []string{a.code}
	}
	if a.words != "" {
		parts = append(parts, strings.TrimRight(a.words, ". "))
	}
	return strings.Join(parts, ": ")
}

// clientCodes say that the client, not the person's sign-in, is refused.
var clientCodes = [...]string{"invalid_client", "unauthorized_client", "deleted_client", "disabled_client", "org_internal", "invalid_request", "unsupported_grant_type"}

// refused makes an error of what renewing a token brought.
func (c *Client) refused(err error, account string, secrets ...string) *Error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	p := &c.Provider
	a := answerOf(err)
	if a == nil || a.passes() {
		what := unheard(err)
		if a != nil {
			what = a.String()
		}
		text := fmt.Sprintf("%s gives no token now (%s: %s); it is tried again", p.Name, host(c.tokenURL()), clean(what, secrets))
		return &Error{Provider: p.Key, Account: account, text: text, passes: true, err: systemError(err)}
	}
	said := clean(a.String(), secrets)
	if c.Service != nil {
		return c.person(account, clean(a.code, secrets), c.Service.advice(account, said))
	}
	for _, code := range clientCodes {
		if a.code == code {
			return c.person(account, code, fmt.Sprintf("%s refuses the client of this site (%s); check client_id and client_secret_file in [%s], then run: %s",
				p.Name, said, p.Key, p.login()))
		}
	}
	whose := ""
	if account != "" {
		whose = " of " + account
	}
	return c.person(account, clean(a.code, secrets), fmt.Sprintf("%s no longer accepts the sign-in%s (%s); run: %s", p.Name, whose, said, p.login()))
}

// unheard says in a few words why no answer came, or none that counts. x/oauth2's own
// texts can quote an answer, so only what is known to be harmless is repeated.
func unheard(err error) string {
	var ue *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ue) && ue.Timeout():
		return fmt.Sprintf("no answer within %d seconds", callLimit/1e9)
	case errors.Is(err, context.Canceled):
		return "stopped"
	case errors.Is(err, errAnswer):
		return errAnswer.Error()
	case errors.As(err, &ue):
		return ue.Err.Error()
	}
	return errAnswer.Error()
}

// systemError keeps the cause for errors.Is, if it is the network's and quotes nothing.
func systemError(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return nil
}

// maxWords is the longest piece of a provider's text that is repeated, in octets.
const maxWords = 200

// clean makes foreign text fit to be shown: one printable line, and nothing of the
// secrets that went out with the request.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "***")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "***")
		}
	}
	return printable.Short(printable.Line(s), maxWords)
}
