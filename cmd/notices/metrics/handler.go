package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// fresh is how long a page is shown again: to make one, the spool is listed.
	fresh = 5 * time.Second
	// patience is how long a request waits for one. Prometheus gives up after ten seconds.
	patience = 10 * time.Second
)

// Handler answers GET /metrics with a page that write makes. One page is made at a time, however many
// ask; ctx ends when the pages are not wanted any more.
func Handler(ctx context.Context, now func() time.Time, write func(context.Context, *Page) error) http.Handler {
	h := &handler{ctx: ctx, now: now, write: write}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", h.serve)
	return mux
}

type handler struct {
	ctx   context.Context
	now   func() time.Time
	write func(context.Context, *Page) error

	mu   sync.Mutex
	last *made
}

// made is a page, or one that is being made.
type made struct {
	done chan struct{} // closed when it is there
	at   time.Time
	text string
	err  error
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	late, cancel := context.WithTimeoutCause(r.Context(), patience, errLate)
	defer cancel()
	m := h.page()
	select {
	case <-m.done:
	case <-late.Done():
		http.Error(w, context.Cause(late).Error(), http.StatusServiceUnavailable)
		return
	}
	if m.err != nil {
		http.Error(w, "the metrics cannot be read now; notices status says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, m.text)
}

var errLate = errors.New("the spool does not answer")

// page is the last page if it is fresh or being made, or begins another one.
func (h *handler) page() *made {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil {
		select {
		case <-h.last.done:
			if h.now().Sub(h.last.at) < fresh {
				return h.last
			}
		default:
			return h.last
		}
	}
	m := &made{done: make(chan struct{})}
	h.last = m
	go func() {
		var p Page
		m.err = h.write(h.ctx, &p)
		m.at, m.text = h.now(), p.Text()
		close(m.done)
	}()
	return m
}
