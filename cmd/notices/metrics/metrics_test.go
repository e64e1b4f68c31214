package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
)

// used is a service that did something of each kind.
func used(t *testing.T) *Service {
	t.Helper()
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	s := NewService(func() time.Time { return now.Add(90 * time.Second) })
	s.Connections = func() (int, int) { return 5, 3 }
	s.Waiting = func() (int, int) { return 20, 2 }
	s.Status = func(context.Context, *Page) error { return errors.New("the disk is gone") }
	for range 7 {
		s.Connected()
	}
	s.LoggedIn(true)
	s.LoggedIn(true)
	s.LoggedIn(false)
	s.Refused("451 4.7.1")
	s.Refused("552 5.3.4")
	s.Refused("552 5.3.4")
	s.Taken(1000)
	s.Taken(500)
	s.Committed(1, 2*time.Millisecond)
	s.Committed(20, 20*time.Second)
	d := s.Deliverer(outcomes{spool.Deferred, spool.Delivered, spool.Delivered})
	id := spool.NewID(now)
	for _, m := range []*spool.Message{{ID: id}, {ID: id, Report: true}, {ID: "imported"}} {
		if _, err := d.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Deliverer(outcomes{spool.Deferred}).Deliver(t.Context(), &spool.Message{ID: id}); err != nil {
		t.Fatal(err)
	}
	if d.Workers() != 3 || d.Group("a", nil) != "group" {
		t.Error("the deliverer is another one")
	}
	return s
}

// outcomes is a deliverer that has these for any message.
type outcomes []spool.Class

func (o outcomes) Deliver(context.Context, *spool.Message) (spool.Delivery, error) {
	d := spool.Delivery{}
	for _, class := range o {
		d.Outcomes = append(d.Outcomes, spool.Outcome{Class: class})
	}
	return d, nil
}
func (o outcomes) Workers() int                  { return len(o) }
func (o outcomes) Group(string, []string) string { return "group" }

func text(s *Service) string {
	var p Page
	s.Show(context.Background(), &p)
	return p.Text()
}

// TestService: each figure, and what a histogram is made of.
func TestService(t *testing.T) {
	b, err := os.ReadFile("testdata/serve.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(used(t)); got != string(b) {
		t.Errorf("got\n%s", got)
	}
	if empty := text(NewService(time.Now)); strings.Contains(empty, "_logins_total") || !strings.Contains(empty, "notices_serve_messages_total 0\n") {
		t.Errorf("of nothing:\n%s", empty)
	}
}

// TestMetricsInManPage: notices-serve(8) has every metric, and no other that serve alone has.
func TestMetricsInManPage(t *testing.T) {
	have, told := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text(used(t))) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			have[strings.Fields(rest)[0]] = true
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "man", "notices-serve.8"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == ".It" && strings.HasPrefix(words[2], "notices_") {
			told[words[2]] = true
		}
	}
	if fmt.Sprint(have) != fmt.Sprint(told) {
		t.Errorf("the metrics are\n%v\nthe page tells of\n%v", have, told)
	}
}

// TestTallyBounded: words without end, from many goroutines, take no memory without end.
func TestTallyBounded(t *testing.T) {
	var tally Tally
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				tally.Add(fmt.Sprint(g, i))
			}
		})
	}
	wg.Wait()
	points := tally.points("word")
	sum := 0.0
	for _, p := range points {
		sum += p.value
	}
	if len(points) != maxWords+1 || sum != 4000 || !slices.ContainsFunc(points, func(p Point) bool { return p.labels[1] == "other" }) {
		t.Errorf("%d words, %v in all", len(points), sum)
	}
}

// TestHandler: one page is made however many ask, is shown again while it is fresh, and a slow spool
// keeps nobody.
func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int64
		block := make(chan struct{})
		h := Handler(t.Context(), time.Now, func(_ context.Context, p *Page) {
			n := made.Add(1)
			<-block
			_, _ = fmt.Fprintf(p, "page %d\n", n)
		})
		get := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
			return w
		}
		if w := get(); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "does not answer") {
			t.Errorf("of a slow spool: %d %s", w.Code, w.Body)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if w := get(); w.Code != http.StatusOK || w.Body.String() != "page 1\n" || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
					t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
				}
			})
		}
		synctest.Wait()
		close(block)
		wg.Wait()
		time.Sleep(fresh) // of the bubble's clock: until page 1 is not fresh any more
		if w := get(); w.Body.String() != "page 2\n" {
			t.Errorf("later: %s", w.Body)
		}
	})
}

// TestHandlerRefuses: what else is asked for.
func TestHandlerRefuses(t *testing.T) {
	h := Handler(t.Context(), time.Now, func(_ context.Context, p *Page) { _, _ = io.WriteString(p, "page") })
	for request, want := range map[string]int{"GET /": 404, "GET /metrics/x": 404, "POST /metrics": 405, "GET /metrics": 200, "HEAD /metrics": 200} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if w.Code != want || (w.Body.String() == "page") != (want == http.StatusOK) {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
}
