package serving

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"notices/cmd/notices/latest"
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
	log    *maillog.Log
	ending atomic.Bool
	trial  latest.Result[error]
	failed bool // the last trial
}

// NewHealth makes it of what tries whether mail can be stored.
func NewHealth(try func(context.Context) error, log *maillog.Log, now func() time.Time) *Health {
	h := &Health{log: log}
	h.trial = latest.Result[error]{Fresh: healthFresh, Now: now, Work: func() error {
		err := try(context.Background())
		h.note(err)
		return err
	}}
	return h
}

// ServeHTTP answers any method and path.
func (h *Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := h.check(); err != nil {
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
func (h *Health) check() error {
	if h.ending.Load() {
		return errEnding
	}
	err, ok := h.trial.Get(healthTime)
	if !ok {
		return errStalled
	}
	return err
}

// note logs that mail cannot be taken, when that begins.
func (h *Health) note(err error) {
	if err != nil && !h.failed {
		h.log.Trouble("no mail can be taken", err)
	}
	h.failed = err != nil
}

// End makes it answer 503 from now on, so that nobody sends more mail here.
func (h *Health) End() { h.ending.Store(true) }
