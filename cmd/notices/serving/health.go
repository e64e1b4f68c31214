package serving

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool/maillog"
)

const (
	// healthFresh is how long a result is given again: a trial writes to the disk.
	healthFresh = 5 * time.Second
	// healthTime is how long a trial may take. A disk that stalls takes no mail.
	healthTime = 5 * time.Second
)

// Health answers /healthz: 200 if mail can be taken, else 503. The reason is in the log only: who
// asks may be anybody.
type Health struct {
	try func(context.Context) error
	log *maillog.Log
	now func() time.Time

	ending atomic.Bool
	mu     sync.Mutex
	last   *trial
	failed bool
}

// trial is a try, under way or over.
type trial struct {
	done chan struct{} // closed when it is over
	at   time.Time     // when that was
	err  error
}

// NewHealth makes it of what tries whether mail can be stored.
func NewHealth(try func(context.Context) error, log *maillog.Log, now func() time.Time) *Health {
	return &Health{try: try, log: log, now: now}
}

// ServeHTTP answers any method and path.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := h.check(r.Context()); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "mail cannot be taken now\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

var (
	errStalled = errors.New("the spool does not answer")
	errEnding  = errors.New("the service is being stopped")
)

// check tries the spool, unless that was done just now.
func (h *Health) check(ctx context.Context) error {
	if h.ending.Load() {
		return errEnding
	}
	t := h.trial(context.WithoutCancel(ctx))
	late := time.NewTimer(healthTime)
	defer late.Stop()
	select {
	case <-t.done:
		return t.err
	case <-late.C:
		return errStalled
	}
}

// trial returns the one that is under way or was over just now, or begins another.
func (h *Health) trial(ctx context.Context) *trial {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.last; t != nil {
		select {
		case <-t.done:
			if h.now().Sub(t.at) < healthFresh {
				return t
			}
		default:
			return t
		}
	}
	t := &trial{done: make(chan struct{})}
	h.last = t
	go func() {
		t.err = h.try(ctx)
		t.at = h.now()
		h.note(t.err)
		close(t.done)
	}()
	return t
}

// note logs that mail cannot be taken, when that begins.
func (h *Health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && !h.failed {
		h.log.Trouble("no mail can be taken", err)
	}
	h.failed = err != nil
}

// End makes it answer 503 from now on, so that nobody sends more mail here.
func (h *Health) End() { h.ending.Store(true) }
