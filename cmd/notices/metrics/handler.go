package metrics

import (
	"context"
	"io"
	"net/http"
	"time"

	"notices/cmd/notices/latest"
)

const (
	// fresh is how long a page is shown again: to make one, the spool is listed.
	fresh = 5 * time.Second
	// patience is how long a request waits for one. Prometheus gives up after ten seconds.
	patience = 10 * time.Second
)

// Handler answers GET /metrics with a page that write makes. One page is made at a time, however many
// ask; ctx ends when the pages are not wanted any more.
func Handler(ctx context.Context, now func() time.Time, write func(context.Context, *Page)) http.Handler {
	page := &latest.Result[string]{Fresh: fresh, Now: now, Work: func() string {
		var p Page
		write(ctx, &p)
		return p.Text()
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		text, ok := page.Get(patience)
		if !ok {
			http.Error(w, "the spool does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, text)
	})
	return mux
}
