package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// Strangers at the port change nothing, and the browser may reload the page.
func TestOtherRequestsAndReloads(t *testing.T) {
	f := newFixture(t)
	f.p.says(tokenPath, 200, granted(nil))
	p := f.asks(nil)
	q := <-p.asked
	home := q.Get("redirect_uri")
	for _, path := range []string{"favicon.ico", "", "?state=x", "x?code=1&state=" + q.Get("state")} {
		r, err := http.Get(home + path)
		notFound(t, path)(r, err)
	}
	evil, _ := http.NewRequest(http.MethodGet, home+"?code=x&state="+q.Get("state"), nil)
	evil.Host = "evil.example"
	notFound(t, "a foreign Host")(http.DefaultClient.Do(evil))
	notFound(t, "POST")(http.PostForm(home, goodAnswer(q)))
	p.comesBack(q, goodAnswer(q))
	if _, err := p.end(); err != nil || f.p.count(tokenPath) != 1 {
		t.Errorf("%v, %d exchanges", err, f.p.count(tokenPath))
	}
}

// An answer with another state is told so, and ends nothing: the right one still counts.
func TestWrongStateIsPassedOver(t *testing.T) {
	f := newFixture(t)
	f.p.says(tokenPath, 200, granted(nil))
	p := f.asks(nil)
	q := <-p.asked
	for _, query := range []string{"code=x", "code=x&state=", "code=x&state=old", "error=access_denied&state=" + q.Get("state") + "x", "error=access_denied"} {
		r, err := http.Get(q.Get("redirect_uri") + "?" + query)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(r.Body)
		r.Body.Close()
		f.wantSays(textOf(string(page)), "belongs to another sign-in", "still waits")
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("?%s: %s", query, r.Status)
		}
	}
	p.comesBack(q, goodAnswer(q))
	if a, err := p.end(); err != nil || a.Account != library || f.p.count(tokenPath) != 1 {
		t.Errorf("%+v, %v, %d exchanges", a, err, f.p.count(tokenPath))
	}
}

// Strangers do not put off the end: the time counts from the beginning.
func TestWrongStateBuysNoTime(t *testing.T) {
	f := newFixture(t)
	p := f.asks(func(l *Login) { l.Limit = 50 * time.Millisecond })
	q := <-p.asked
	for {
		r, err := http.Get(q.Get("redirect_uri") + "?code=x&state=x")
		if err != nil {
			break // the port is closed
		}
		r.Body.Close()
	}
	p.refused("", "The time is over")
}

func TestThePortIsReachedFromThisMachineOnly(t *testing.T) {
	f := newFixture(t)
	p := f.asks(nil)
	q := <-p.asked
	u, _ := url.Parse(q.Get("redirect_uri"))
	if u.Hostname() != "127.0.0.1" {
		t.Errorf("redirect to %s", u)
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		ip, _, _ := net.ParseCIDR(a.String())
		if ip == nil || ip.IsLoopback() {
			continue
		}
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), u.Port()), time.Second); err == nil {
			c.Close()
			t.Errorf("%s answers too", ip)
		}
	}
	if r, err := http.Get(u.String() + "?error=access_denied&state=" + q.Get("state")); err == nil {
		r.Body.Close()
	}
	p.end()
}

func notFound(t *testing.T, what string) func(*http.Response, error) {
	return func(r *http.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", what, r.Status)
		}
	}
}

func TestPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	f := newFixture(t)
	p := f.asks(func(l *Login) { l.Port = port })
	_, err = p.end()
	f.wantSays(err.Error(), fmt.Sprintf("Port %d is taken", port), "--port", "Nothing was changed")
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v", err)
	}
	taken.Close()
	p = f.asks(func(l *Login) { l.Port = port })
	q := <-p.asked
	if want := fmt.Sprintf("http://127.0.0.1:%d/", port); q.Get("redirect_uri") != want {
		t.Errorf("redirect to %s, want %s", q.Get("redirect_uri"), want)
	}
	p.comesBack(q, url.Values{"error": {"access_denied"}, "state": {q.Get("state")}})
	p.end()
}

func TestTimeIsOver(t *testing.T) {
	f := newFixture(t)
	p := f.asks(func(l *Login) { l.Limit = time.Millisecond })
	p.refused("", "The time is over", "No answer came within 1ms")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l := &Login{Client: f.client, State: f.state, Say: func(string) {}}
	if _, err := l.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	limited, cancel := l.limit(context.Background())
	defer cancel()
	if until, ok := limited.Deadline(); !ok || time.Until(until) > 5*time.Minute {
		t.Errorf("waits until %v", until)
	}
}

// The browser opens when there is one; the address is printed all the same.
func TestBrowser(t *testing.T) {
	for _, works := range []bool{true, false} {
		f := newFixture(t)
		var opened string
		p := f.asks(func(l *Login) {
			l.Open = func(address string) error {
				opened = address
				if works {
					return nil
				}
				return errors.New("no browser")
			}
		})
		q := <-p.asked
		p.comesBack(q, url.Values{"error": {"access_denied"}, "state": {q.Get("state")}})
		p.refused("", "cancelled")
		if u, err := url.Parse(opened); err != nil || u.Query().Get("state") != q.Get("state") {
			t.Errorf("opened %q", opened)
		}
		want := map[bool]string{true: "should open now", false: "Open this address in a browser"}[works]
		f.wantSays(p.said.String(), want, opened)
	}
}
