package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"notices/spool/printable"
)

// Error is why there is no token. Its text says what to do and holds no secret.
type Error struct {
	text      string
	temporary bool
	person    bool // although it is temporary
	err       error
}

func (e *Error) Error() string { return e.text }

func (e *Error) Unwrap() error { return e.err }

// Temporary reports whether to ask again in a while: waiting can help, or a person can repair
// what cannot be seen from here.
func (e *Error) Temporary() bool { return e.temporary }

// NeedsPerson reports whether a person has to do what the text says.
func (e *Error) NeedsPerson() bool { return e.person || !e.temporary }

// errorf makes an error that waiting does not cure.
func errorf(format string, args ...any) *Error { return &Error{text: fmt.Sprintf(format, args...)} }

// answer is what a token server said instead of a token.
type answer struct {
	status      int // 0: nothing came
	code, words string
	challenged  bool // a broker wants another key: 401 with WWW-Authenticate
}

// answerOf parses an error of x/oauth2; nil: no server answered.
func answerOf(err error) *answer {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) || re.Response == nil {
		return nil
	}
	a := &answer{status: re.Response.StatusCode, code: re.ErrorCode, words: re.ErrorDescription}
	a.challenged = a.status == http.StatusUnauthorized && re.Response.Header.Get("WWW-Authenticate") != ""
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

// isTemporary reports whether the same request may succeed later. RFC 6749 5.2 has no code
// for that, so the status decides, and the codes of the authorization endpoint that some
// servers use here too. A refusal without any code needs a person.
func (a *answer) isTemporary() bool {
	codes := []string{"server_error", "temporarily_unavailable", "slow_down", "rate_limit_exceeded", "internal_failure", "quota_exceeded"}
	statuses := []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}
	return slices.Contains(codes, a.code) || slices.Contains(statuses, a.status) || a.status > 499 || a.status < 400 && a.code == ""
}

// String is `invalid_grant: Token has been expired or revoked.`
func (a *answer) String() string {
	text := cmp.Or(a.code, fmt.Sprintf("HTTP status %d", a.status))
	if a.words != "" {
		text += ": " + strings.TrimRight(a.words, ". ")
	}
	return text
}

// clientCodes say that the client, not the person's sign-in, is refused.
var clientCodes = []string{"invalid_client", "unauthorized_client", "deleted_client", "disabled_client", "org_internal", "invalid_request", "unsupported_grant_type"}

// refused makes an error of a renewal that failed.
func (c *Client) refused(err error, account string, secrets ...string) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	p := &c.Provider
	a := answerOf(err)
	what := noAnswerText(err)
	if a != nil {
		what = a.String()
	}
	what = clean(what, secrets)
	if e := brokerError(c, err, secrets); e != nil {
		return e
	}
	switch {
	case a == nil || a.isTemporary():
		e := errorf("%s gives no token now (%s: %s); it is tried again", p.Name, host(c.tokenURL()), what)
		e.temporary = true
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			e.err = ue.Err // the network's, which quotes nothing
		}
		return e
	case c.Service != nil:
		return errorf("%s", c.Service.advice(account, what))
	case slices.Contains(clientCodes, a.code):
		return errorf("%s refuses the client of this site (%s); check client_id and client_secret_file in [%s], then run: %s",
			p.Name, what, p.Key, p.login())
	}
	whose := ""
	if account != "" {
		whose = " of " + account
	}
	return errorf("%s no longer accepts the sign-in%s (%s); run: %s", p.Name, whose, what, p.login())
}

// noAnswerText says in a few words why no valid answer came. The texts of x/oauth2 can quote
// an answer, so only harmless ones are repeated.
func noAnswerText(err error) string {
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

// maxWords is the longest piece of a provider's text that is repeated, in octets.
const maxWords = 200

// clean makes a provider's text printable, on one line, and masks the secrets that were in
// the request.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "***")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "***")
		}
	}
	return printable.Short(printable.Line(s), maxWords)
}
