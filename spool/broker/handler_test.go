package broker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// client plays the service's own client: it notes the forms and answers as it is told.
type client struct {
	mu     sync.Mutex
	forms  []url.Values
	status int
	body   string
	err    error
}

func (c *client) Describe(context.Context) ([]byte, error) {
	return []byte(`{"client_id":"client-1"}`), c.err
}

func (c *client) Token(_ context.Context, form url.Values) (int, []byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forms = append(c.forms, form)
	return c.status, []byte(c.body), c.err
}

func (c *client) Revoke(ctx context.Context, form url.Values) (int, []byte, error) {
	return c.Token(ctx, form)
}

const (
	key  = "31337key"
	code = "code-31337"
)

// service is a broker over TLS, with one site.
type service struct {
	t      *testing.T
	google *client
	h      *Handler
	events []Event
	asked  []string // by whom
	count  func() (wait time.Duration, told bool, err error)
}

func newService(t *testing.T) *service {
	s := &service{t: t, google: &client{status: 200, body: `{"access_token":"token-31337"}`}}
	s.count = func() (time.Duration, bool, error) { return 0, false, nil }
	s.h = &Handler{
		Clients: map[string]Client{"google": s.google},
		Authenticate: func(_ context.Context, site, given string) (string, error) {
			if site == "damaged" {
				return "", errors.New("the register is damaged")
			}
			if strings.EqualFold(site, "springfield") && given == key {
				return "springfield", nil
			}
			return "", nil
		},
		Count: func(_ context.Context, id string) (time.Duration, bool, error) {
			s.asked = append(s.asked, id)
			return s.count()
		},
		Log: func(e Event) { s.events = append(s.events, e) },
	}
	return s
}

// serve answers a request without a network.
func (s *service) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

// request is one of the site with the right key.
func request(method, path, form string) *http.Request {
	r := httptest.NewRequest(method, "https://submit.example.net"+path, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.SetBasicAuth("springfield", key)
	return r
}

const codeForm = "grant_type=authorization_code&code=" + code + "&code_verifier=verifier&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2F"

// wantRefusal wants an answer of the broker's own, as RFC 6749 5.2 has it.
func (s *service) wantRefusal(w *httptest.ResponseRecorder, status int, code string) {
	s.t.Helper()
	var said struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}
	if json.Unmarshal(w.Body.Bytes(), &said) != nil || w.Code != status || said.Error != code || said.Text == "" ||
		w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		s.t.Errorf("answered %d %v %s, want %d %s", w.Code, w.Header(), w.Body, status, code)
	}
}

func TestCallsArePassedOn(t *testing.T) {
	s := newService(t)
	if w := s.serve(request("GET", "/google/client", "")); w.Code != 200 || w.Body.String() != `{"client_id":"client-1"}` {
		t.Errorf("client: %d %s", w.Code, w.Body)
	}
	for _, c := range []struct{ path, form, passed string }{
		{"/google/token", codeForm, "code=code-31337&code_verifier=verifier&grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2F"},
		{"/google/token", "grant_type=refresh_token&refresh_token=r&scope=email", "grant_type=refresh_token&refresh_token=r&scope=email"},
		{"/google/token", "grant_type=" + url.QueryEscape(deviceGrant) + "&device_code=d", "device_code=d&grant_type=" + url.QueryEscape(deviceGrant)},
		{"/google/revoke", "token=r&token_type_hint=refresh_token", "token=r&token_type_hint=refresh_token"},
		// What would be a client of one's own, or anything else, is left out.
		{"/google/token", "grant_type=refresh_token&refresh_token=r&client_id=mine&client_secret=x&client_assertion=y&x=1&x=2", "grant_type=refresh_token&refresh_token=r"},
		{"/google/revoke", "token=r&client_id=mine", "token=r"},
	} {
		w := s.serve(request("POST", c.path, c.form))
		got := s.google.forms[len(s.google.forms)-1].Encode()
		if w.Code != 200 || w.Body.String() != s.google.body || got != c.passed || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %s, passed on %s", c.path, c.form, w.Code, w.Body, got)
		}
	}
	// So is what the provider refuses, with its status; that is no word about the site's key.
	s.google.status, s.google.body = 401, `{"error":"invalid_client"}`
	if w := s.serve(request("POST", "/google/token", codeForm)); w.Code != 401 || w.Body.String() != s.google.body || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestWhatIsRefused(t *testing.T) {
	s := newService(t)
	token := func(form string) *http.Request { return request("POST", "/google/token", form) }
	json := token(codeForm)
	json.Header.Set("Content-Type", "application/json")
	plain := token(codeForm)
	plain.TLS = nil
	redirect := func(to string) *http.Request {
		return token("grant_type=authorization_code&code=c&redirect_uri=" + url.QueryEscape(to))
	}
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"another path":        {request("GET", "/google/keys", ""), 404, "not_found"},
		"the root":            {request("GET", "/", ""), 404, "not_found"},
		"deeper":              {request("POST", "/google/token/x", codeForm), 404, "not_found"},
		"no such provider":    {request("POST", "/microsoft/token", codeForm), 404, "no_client"},
		"GET of a token":      {request("GET", "/google/token", ""), 405, "method_not_allowed"},
		"POST of the client":  {request("POST", "/google/client", codeForm), 405, "method_not_allowed"},
		"no form":             {json, 415, "invalid_request"},
		"no TLS":              {plain, 403, "tls_required"},
		"too long":            {token(strings.Repeat("x", 64<<10+1)), 413, "invalid_request"},
		"no parseable form":   {token("grant_type=%zz"), 400, "invalid_request"},
		"twice":               {token("grant_type=refresh_token&refresh_token=a&refresh_token=b"), 400, "invalid_request"},
		"no grant":            {token("code=c"), 400, "unsupported_grant_type"},
		"password":            {token("grant_type=password&username=a&password=b"), 400, "unsupported_grant_type"},
		"client credentials":  {token("grant_type=client_credentials"), 400, "unsupported_grant_type"},
		"an assertion":        {token("grant_type=" + url.QueryEscape("urn:ietf:params:oauth:grant-type:jwt-bearer")), 400, "unsupported_grant_type"},
		"no redirect":         {token("grant_type=authorization_code&code=c"), 400, "invalid_request"},
		"a page":              {redirect("https://evil.example/"), 400, "invalid_request"},
		"https to itself":     {redirect("https://127.0.0.1/"), 400, "invalid_request"},
		"a user":              {redirect("http://127.0.0.1@evil.example/"), 400, "invalid_request"},
		"a user before":       {redirect("http://evil.example@127.0.0.1/"), 400, "invalid_request"},
		"a name like it":      {redirect("http://localhost.evil.example/"), 400, "invalid_request"},
		"a name with numbers": {redirect("http://127.0.0.1.evil.example/"), 400, "invalid_request"},
		"out of band":         {redirect("urn:ietf:wg:oauth:2.0:oob"), 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.wantRefusal(s.serve(c.r), c.status, c.code)
		})
	}
	for _, to := range []string{"http://127.0.0.1/", "http://[::1]:4711/x", "http://localhost:1?a=b"} {
		if w := s.serve(redirect(to)); w.Code != 200 {
			t.Errorf("%s: %d %s", to, w.Code, w.Body)
		}
	}
	const refresh = "grant_type=refresh_token&refresh_token="
	if w := s.serve(token(refresh + strings.Repeat("x", 64<<10-len(refresh)))); w.Code != 200 {
		t.Errorf("64 KiB: %d %s", w.Code, w.Body)
	}
	if len(s.google.forms) != 4 {
		t.Errorf("%d forms were passed on: %v", len(s.google.forms), s.google.forms)
	}
	if w := s.serve(request("DELETE", "/google/client", "")); w.Header().Get("Allow") != "GET" {
		t.Errorf("Allow: %q", w.Header())
	}
}

// A wrong key is answered late, and many at once hold nothing up.
func TestWrongKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		wrong := func(site, key string) *http.Request {
			r := request("POST", "/google/token", codeForm)
			r.SetBasicAuth(site, key)
			return r
		}
		for _, r := range []*http.Request{wrong("springfield", "x"), wrong("springfield", ""), wrong("", key), wrong("shelbyville", key)} {
			began := time.Now()
			w := s.serve(r)
			s.wantRefusal(w, 401, "wrong_site_key")
			if time.Since(began) != wrongDelay || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("after %v: %v", time.Since(began), w.Header())
			}
		}
		none := request("POST", "/google/token", codeForm)
		none.Header.Del("Authorization")
		began := time.Now()
		s.wantRefusal(s.serve(none), 401, "wrong_site_key")
		if time.Since(began) != 0 {
			t.Error("who shows no key has to wait")
		}
		// Whoever floods is told to stop, and a site with its key is served meanwhile.
		s.h.Log = nil
		results := make(chan int, 3*maxDelayed)
		for range 3 * maxDelayed {
			go func() { results <- s.serve(wrong("springfield", "x")).Code }()
		}
		synctest.Wait()
		if n := len(results); n != 2*maxDelayed {
			t.Errorf("%d were answered at once", n)
		}
		if w := s.serve(request("POST", "/google/token", codeForm)); w.Code != 200 {
			t.Errorf("the site: %d", w.Code)
		}
		time.Sleep(wrongDelay)
		synctest.Wait()
		var codes []int
		for range 3 * maxDelayed {
			codes = append(codes, <-results)
		}
		slices.Sort(codes)
		if codes[0] != 401 || codes[maxDelayed-1] != 401 || codes[maxDelayed] != 429 || codes[3*maxDelayed-1] != 429 {
			t.Errorf("%v", codes)
		}
	})
}

func TestRegisterOutOfReach(t *testing.T) {
	s := newService(t)
	r := request("GET", "/google/client", "")
	r.SetBasicAuth("damaged", key)
	s.wantRefusal(s.serve(r), 503, "temporarily_unavailable")
	if e := s.events[0]; e.Err == nil || e.Status != 503 || e.Call != "google client" {
		t.Errorf("%+v", e)
	}
}

// Who asks too often is told when to ask again, and the log has it once. A site is counted by its id,
// however it writes its name.
func TestTooOften(t *testing.T) {
	s := newService(t)
	ask := func(name string) *httptest.ResponseRecorder {
		r := request("GET", "/google/client", "")
		r.SetBasicAuth(name, key)
		return s.serve(r)
	}
	told := false
	s.count = func() (time.Duration, bool, error) { return 29500 * time.Millisecond, told, nil }
	for range 2 {
		w := ask("Springfield")
		s.wantRefusal(w, 429, "slow_down")
		if after := w.Header().Get("Retry-After"); after != "30" {
			t.Errorf("Retry-After: %s", after)
		}
		told = true
	}
	if len(s.events) != 1 || s.events[0].Status != 429 || !slices.Equal(s.asked, []string{"springfield", "springfield"}) {
		t.Errorf("logged %+v, counted %q", s.events, s.asked)
	}
	s.count = func() (time.Duration, bool, error) { return 0, false, errors.New("the database is away") }
	s.wantRefusal(ask("springfield"), 503, "temporarily_unavailable")
	if e := s.events[1]; e.Err == nil || e.Site != "springfield" {
		t.Errorf("%+v", e)
	}
	s.count = nil
	r := request("GET", "/google/client", "")
	r.SetBasicAuth("damaged", key)
	s.serve(r) // whoever is not let in is not counted
}

func TestProviderAway(t *testing.T) {
	s := newService(t)
	for name, set := range map[string]func(){
		"no answer":    func() { s.google.err = errors.New("connection refused") },
		"a redirect":   func() { s.google.err, s.google.status = nil, 302 },
		"no status":    func() { s.google.status = 0 },
		"a long token": func() { s.google.status, s.google.body = 200, strings.Repeat("x", MaxBody+1) },
	} {
		t.Run(name, func(t *testing.T) {
			s.google.status, s.google.err = 200, nil
			set()
			s.t = t
			s.wantRefusal(s.serve(request("POST", "/google/token", codeForm)), 502, "temporarily_unavailable")
		})
	}
}

// No code, no token, no key and no secret is in an event.
func TestLogHasNoSecret(t *testing.T) {
	s := newService(t)
	s.serve(request("POST", "/google/token", codeForm))
	s.google.err = errors.New("away")
	s.serve(request("POST", "/google/token", codeForm))
	if len(s.events) != 2 || s.events[0] != (Event{Site: "springfield", From: "192.0.2.1", Call: "google token", Status: 200, Known: true}) {
		t.Fatalf("%+v", s.events)
	}
	for _, e := range s.events {
		if text, _ := json.Marshal(e); strings.Contains(string(text), "31337") {
			t.Errorf("%s", text)
		}
	}
}

// A form without end is read no further than the limit.
func TestEndlessForm(t *testing.T) {
	s := newService(t)
	r := request("POST", "/google/token", "x")
	form := &endless{}
	r.Body = io.NopCloser(form)
	s.wantRefusal(s.serve(r), http.StatusRequestEntityTooLarge, "invalid_request")
	if form.read > 2*MaxBody {
		t.Errorf("%d octets were read", form.read)
	}
}

// endless never ends, and counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// FuzzForm: whatever a site sends, only known fields of allowed grants get to the provider, each
// once, and the answer is JSON.
func FuzzForm(f *testing.F) {
	f.Add("/google/token", codeForm)
	f.Add("/google/token", "grant_type=refresh_token&refresh_token=r&client_id=x")
	f.Add("/google/token", "grant_type=authorization_code&redirect_uri=http://[::1]%00@x/&code=%ff")
	f.Add("/google/revoke", "token=a&token=b;c")
	f.Add("/microsoft/client", "")
	f.Fuzz(func(t *testing.T, path, form string) {
		s := newService(t)
		r := request("POST", "/", form)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.URL.Path = path
		w := s.serve(r)
		if !json.Valid(w.Body.Bytes()) || w.Code == 200 != (len(s.google.forms) == 1) {
			t.Errorf("%d %s, %d forms", w.Code, w.Body, len(s.google.forms))
		}
		for _, passed := range s.google.forms {
			for name, values := range passed {
				if !slices.Contains(append(tokenFields, revokeFields...), name) || len(values) != 1 {
					t.Errorf("passed on %s = %q", name, values)
				}
			}
			if u, err := url.Parse(passed.Get("redirect_uri")); path == "/google/token" && passed.Get("grant_type") == "authorization_code" &&
				(err != nil || !slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())) {
				t.Errorf("a code for %q", passed.Get("redirect_uri"))
			}
		}
	})
}
