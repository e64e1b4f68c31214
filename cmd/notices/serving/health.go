package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"notices/cmd/notices/latest"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/maillog"
)

const (
	// healthFresh is how long a result is given again: a trial writes to the disk.
	healthFresh = 5 * time.Second
	// healthTime is how long a trial may take. A disk that stalls takes no mail.
	healthTime = 5 * time.Second
	// watchTime is how often Watch tries: as soon as a result is not fresh any more.
	watchTime = healthFresh + time.Second
)

// Health answers /healthz: 200 if mail can be taken, else 503. The reason is in the log only: who
// asks may be anybody.
type Health struct {
	// Say says that mail can be taken again. Nil: nobody is told. It is set before the first trial.
	Say func(format string, args ...any)

	log    *maillog.Log
	now    func() time.Time
	ending atomic.Bool
	trial  latest.Result[error]
	failed time.Time // since when trials fail; zero: the last one did not
}

// NewHealth makes it of what tries whether mail can be stored.
func NewHealth(try func(context.Context) error, log *maillog.Log, now func() time.Time) *Health {
	h := &Health{log: log, now: now}
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

// note tells that mail cannot be taken when that begins, and when it is over.
func (h *Health) note(err error) {
	since := h.failed
	switch {
	case err != nil && since.IsZero():
		what := "no mail can be taken; sites keep theirs"
		if errors.Is(err, spool.ErrUnreachable) {
			what = "no mail can be taken or sent while the database is away; sites keep theirs"
		}
		h.log.Trouble(what, fmt.Errorf("%w; to see what is wrong, run: notices check", err))
		h.failed = h.now()
	case err == nil && !since.IsZero():
		h.failed = time.Time{}
		if h.Say != nil {
			h.Say("mail can be taken again, after %s", term.Span(h.now().Sub(since)))
		}
	}
}

// Watch tries the spool again and again until ctx ends, so that it is told at once when no mail can be
// taken. It waits for no trial.
func (h *Health) Watch(ctx context.Context) {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = h.trial.Get(0)
		}
	}
}

// End makes it answer 503 from now on, so that nobody sends more mail here.
func (h *Health) End() { h.ending.Store(true) }
