package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one request.
const (
	MaxBody    = 64 << 10         // octets, of a request and of the provider's answer
	callTime   = 15 * time.Second // of the provider
	wrongDelay = 2 * time.Second  // before a wrong key is answered
	maxDelayed = 100              // requests with a wrong key that wait at the same time
)

// Client is the service's own client at one provider. Its errors contain no secret; they are
// logged, and the site is told only that the provider is away.
type Client interface {
	// Describe returns what a site has to know to begin a sign-in, as JSON.
	Describe(ctx context.Context) ([]byte, error)
	// Token and Revoke add the client's id and secret to a form, pass it on, and return what the
	// provider answered, whatever its status.
	Token(ctx context.Context, form url.Values) (status int, answer []byte, err error)
	Revoke(ctx context.Context, form url.Values) (status int, answer []byte, err error)
}

// Handler answers the calls of sites. Its fields are set before the first call. How long a request
// may take to come in is for the HTTP server to say.
type Handler struct {
	Clients map[string]Client // by the first part of the path: "google", "microsoft"
	// Authenticate returns the id of the site that has this name and key, or "" if no site has. An
	// error is the register's.
	Authenticate func(ctx context.Context, site, key string) (id string, err error)
	// Count counts a request of a site, over all hosts. wait is how long the site has to wait if it
	// has made PerMinute of them; told: the log has that already. An error is the register's.
	Count func(ctx context.Context, id string) (wait time.Duration, told bool, err error)
	Log   func(Event) // of each call, but of those over the limit only the first; may be nil

	delayed delayed
}

// Event is a call that was answered.
type Event struct {
	Site   string // its id; of a caller that was not let in, the name that it gave
	From   string // the caller's IP address
	Call   string // "google token"
	Status int
	Known  bool  // the site's key was right
	Err    error // why the register or the provider could not be asked; nil if they answered
}

// answer is what is sent back.
type answer struct {
	status int
	body   []byte
	err    error // for the log
	silent bool  // it is not logged
}

// refusal is an answer of the broker's own.
func refusal(status int, code, description string) answer {
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": description})
	return answer{status: status, body: body}
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	provider, call, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	site, key, given := r.BasicAuth()
	a, id := h.outside(w, r, call), ""
	if a.status == 0 {
		id, a = h.admit(w, r, site, key, given)
	}
	if a.status == 0 {
		a = h.answer(w, r, h.Clients[provider], call)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	if h.Log != nil && !a.silent {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		h.Log(Event{Site: cmp.Or(id, site), From: from, Call: provider + " " + call, Status: a.status, Known: id != "", Err: a.err})
	}
}

// outside refuses what is not a call, whoever makes it.
func (h *Handler) outside(w http.ResponseWriter, r *http.Request, call string) answer {
	method := http.MethodPost
	switch call {
	case "client":
		method = http.MethodGet
	case "token", "revoke":
	default:
		return refusal(http.StatusNotFound, "not_found", "there is no such call")
	}
	switch {
	case r.TLS == nil:
		return refusal(http.StatusForbidden, "tls_required", "a site's key goes over TLS only")
	case r.Method != method:
		w.Header().Set("Allow", method)
		return refusal(http.StatusMethodNotAllowed, "method_not_allowed", "this call is a "+method)
	}
	return answer{}
}

// admit lets a site in that has the right key and asks not too often. It returns the site's id:
// its name can be written in several ways.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, site, key string, given bool) (id string, a answer) {
	if given {
		var err error
		if id, err = h.Authenticate(r.Context(), site, key); err != nil {
			return "", away(err)
		}
	}
	if id == "" {
		if given && !h.delayed.wait(r.Context()) {
			w.Header().Set("Retry-After", "60")
			return "", refusal(http.StatusTooManyRequests, "slow_down", "too many requests with a wrong key")
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="notices", charset="UTF-8"`)
		return "", refusal(http.StatusUnauthorized, "wrong_site_key", "the service knows no such site, or it has another key")
	}
	wait, told, err := h.Count(r.Context(), id)
	switch {
	case err != nil:
		return id, away(err)
	case wait > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		a = refusal(http.StatusTooManyRequests, "slow_down", "at most "+strconv.Itoa(PerMinute)+" requests a minute")
		a.silent = told
	}
	return id, a
}

// away is the answer while the register cannot be asked.
func away(err error) answer {
	a := refusal(http.StatusServiceUnavailable, "temporarily_unavailable", "the service cannot look up its sites now")
	a.err = err
	return a
}

// answer makes the call for a site.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, client Client, call string) answer {
	if client == nil {
		return refusal(http.StatusNotFound, "no_client", "the service has no client at this provider")
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTime)
	defer cancel()
	if call == "client" {
		body, err := client.Describe(ctx)
		return passed(http.StatusOK, body, err)
	}
	form, refused := readForm(w, r)
	if refused.status != 0 {
		return refused
	}
	pass, known := client.Token, tokenFields
	if call == "revoke" {
		pass, known = client.Revoke, revokeFields
	}
	form, problem := restrict(form, known)
	if problem == nil && call == "token" {
		problem = checkGrant(form)
	}
	if problem != nil {
		return refusal(http.StatusBadRequest, problem.code, problem.text)
	}
	return passed(pass(ctx, form))
}

// passed is the provider's answer, or says that there is no usable one.
func passed(status int, body []byte, err error) answer {
	if err == nil && (status < 200 || status >= 300 && status < 400 || status > 599 || len(body) > MaxBody) {
		err = errors.New("an answer that cannot be passed on")
	}
	if err != nil {
		a := refusal(http.StatusBadGateway, "temporarily_unavailable", "the provider cannot be reached by the service now")
		a.err = err
		return a
	}
	return answer{status: status, body: body}
}

// readForm reads the body.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, answer) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refusal(http.StatusUnsupportedMediaType, "invalid_request", "the body has to be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, refusal(http.StatusRequestEntityTooLarge, "invalid_request", "the body is longer than 64 KiB")
	case err != nil:
		return nil, refusal(http.StatusRequestTimeout, "invalid_request", "the body did not come in whole")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "invalid_request", "the body cannot be read as a form")
	}
	return form, answer{}
}

// Fields of the calls: RFC 6749 4.1.3 and 6, RFC 7636 4.5, RFC 8628 3.4, RFC 7009 2.1. Others
// are left out, above all an id and a secret of a client.
var (
	tokenFields  = []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "device_code", "scope"}
	revokeFields = []string{"token", "token_type_hint"}
)

// formError is what is wrong with a form, with a code of RFC 6749 5.2.
type formError struct{ code, text string }

// restrict keeps the known fields of a form, each of which may be there once (RFC 6749 3.2).
func restrict(form url.Values, known []string) (url.Values, *formError) {
	kept := url.Values{}
	for name, values := range form {
		switch {
		case !slices.Contains(known, name):
		case len(values) > 1:
			return nil, &formError{"invalid_request", name + " is there more than once"}
		default:
			kept[name] = values
		}
	}
	return kept, nil
}

// deviceGrant is the device code of RFC 8628.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// checkGrant allows three grants, and codes for this kind of client only.
func checkGrant(form url.Values) *formError {
	switch grant := form.Get("grant_type"); {
	case grant == "refresh_token", grant == deviceGrant:
		return nil
	case grant != "authorization_code":
		return &formError{"unsupported_grant_type", "the grants are authorization_code, refresh_token and " + deviceGrant}
	case !isLoopback(form.Get("redirect_uri")):
		return &formError{"invalid_request", "redirect_uri has to be a loopback address: http and 127.0.0.1, [::1] or localhost"}
	}
	return nil
}

// isLoopback reports whether an address is of this kind (RFC 8252 7.3).
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && u.User == nil && u.Opaque == "" && u.Fragment == "" &&
		slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())
}
