package route

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/maillog"
)

// A notice in status is renewed when its cause is met again after noticeFresh. It ends when a run
// went well and the cause was not met for noticeStays: longer than a deferred message waits for its
// next attempt.
const (
	noticeFresh = time.Hour
	noticeStays = 3 * time.Hour
)

// health keeps from run to run how a server is, with the notices that status shows of it: a
// connection less secure than wanted, or what a person can do about an answer.
type health struct {
	state  spool.State // nil: nothing is kept
	server string
	log    *maillog.Log
	now    func() time.Time
	keep   time.Duration // Options.KeepOutages

	mu           sync.Mutex
	kinds, texts []string // the notices of this run
	shown        string
	shownAt      time.Time
}

// load reads what earlier runs kept. If it cannot be read, the server is taken to be well: the mail
// matters more.
func (k *health) load(ctx context.Context) spool.Health {
	h, err := spool.LoadState[spool.Health](ctx, k.state, spool.HealthName+k.server)
	if err != nil {
		k.log.Trouble("reading the health of server "+k.server, err)
		return spool.Health{}
	}
	k.shown, k.shownAt = h.Notice, h.NoticeAt
	return h
}

// save changes what is kept. It does so although ctx has ended: a stopped run has most to report.
func (k *health) save(ctx context.Context, change func(*spool.Health)) error {
	if k.state == nil {
		return nil
	}
	err := spool.UpdateState(context.WithoutCancel(ctx), k.state, spool.HealthName+k.server, false,
		func(h *spool.Health) error { change(h); return nil })
	if err != nil {
		return fmt.Errorf("saving the health of server %s: %w", k.server, err)
	}
	return nil
}

// trySave is save where an error stops no mail.
func (k *health) trySave(ctx context.Context, change func(*spool.Health)) {
	if err := k.save(ctx, change); err != nil {
		k.log.Trouble("server "+k.server, err)
	}
}

// saveRecovery forgets the troubles of earlier runs, but for the time they lasted.
func (k *health) saveRecovery(ctx context.Context) {
	k.endOutage(ctx, k.now())
	k.trySave(ctx, func(h *spool.Health) {
		*h = spool.Health{Notice: h.Notice, NoticeAt: h.NoticeAt, AcceptedAt: h.AcceptedAt, UpAt: k.now().UTC().Truncate(time.Second)}
	})
}

// endOutage keeps for the report how long the troubles of earlier runs lasted.
func (k *health) endOutage(ctx context.Context, at time.Time) {
	if k.state == nil {
		return
	}
	if err := spool.EndOutage(context.WithoutCancel(ctx), k.state, k.server, at, k.keep); err != nil {
		k.log.Trouble("keeping the outage of server "+k.server, err)
	}
}

// notice keeps a notice for status, once a run for each kind, and reports whether it is new.
func (k *health) notice(ctx context.Context, kind, text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(k.kinds, kind) {
		return false
	}
	k.kinds, k.texts = append(k.kinds, kind), append(k.texts, text)
	if now := k.now(); !strings.Contains(k.shown, kind) || now.Sub(k.shownAt) >= noticeFresh {
		k.shown, k.shownAt = strings.Join(k.texts, "; "), now
		k.trySave(ctx, func(h *spool.Health) { h.Notice, h.NoticeAt = k.shown, k.shownAt })
	}
	return true
}

// noteStepDown notes that the connection is less secure than wanted. What is before the
// colon says how; the rest may differ each time, if only by the time of day.
func (k *health) noteStepDown(ctx context.Context, what string) {
	kind, _, _ := strings.Cut(what, ":")
	if k.notice(ctx, kind, what) {
		k.log.StepDown(k.server, what)
	}
}

// expireNotice drops the notice if this run did not meet its cause, nor did any run for noticeStays,
// and reports whether it did so.
func (k *health) expireNotice() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shown == "" || len(k.texts) > 0 || k.now().Sub(k.shownAt) <= noticeStays {
		return false
	}
	k.shown, k.shownAt = "", time.Time{}
	return true
}

// loadHealth gives the breaker what earlier runs kept.
func (s *server) loadHealth(ctx context.Context) {
	if s.health.state == nil {
		return
	}
	h := s.health.load(ctx)
	if h.Secret != "" && s.now().Before(h.DownUntil) && !s.breaker.ignore && s.secret.changed(ctx, h.Secret) {
		h.DownUntil = time.Time{}
	}
	s.breaker.restore(h)
}

// saveTrouble remembers that the server went down in this run. Two flushes that
// meet the same trouble count it once.
func (s *server) saveTrouble(ctx context.Context, o spool.Outcome, unopened bool) {
	mine := s.breaker.current()
	s.log.Paused(s.config.Name, mine.DownUntil, o)
	digest := ""
	if o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret {
		digest = s.secret.digest()
	}
	s.endOtherOutage(ctx)
	s.health.trySave(ctx, func(h *spool.Health) {
		if h.Troubles == 0 || h.Since.IsZero() || !h.Of(s.config.Host) {
			h.Since = mine.Since
		}
		h.Troubles = max(h.Troubles, mine.Troubles)
		h.DownUntil, h.Last, h.Secret, h.Refused, h.Unopened = mine.DownUntil, mine.Last, digest, mine.Refused, unopened
	})
}

// endOtherOutage ends the outage of the server that had this name before the config changed.
func (s *server) endOtherOutage(ctx context.Context) {
	if s.health.state == nil {
		return
	}
	h, err := spool.LoadState[spool.Health](ctx, s.health.state, spool.HealthName+s.config.Name)
	if err == nil && h.Troubles > 0 && !h.Of(s.config.Host) {
		s.health.endOutage(ctx, h.Last.Reply.At)
	}
}

// saveEnd saves what the end of the run changes: the pause of a server in trouble
// begins now, and a notice that has expired is dropped. Mostly nothing has changed.
func (s *server) saveEnd(ctx context.Context) error {
	mine, worked, changed := s.breaker.atEnd()
	expired := worked && s.health.expireNotice()
	if !changed && !expired {
		return nil
	}
	return s.health.save(ctx, func(h *spool.Health) {
		h.DownUntil, h.AcceptedAt, h.Refused = mine.DownUntil, mine.AcceptedAt, mine.Refused
		h.Notice, h.NoticeAt = s.health.shown, s.health.shownAt
	})
}

// advice is what a person can do about the answer, for status: the account may not send
// as this sender (5.7.60), or the name of this machine is refused. Mostly it is empty.
func advice(o spool.Outcome, hello, sender string) (kind, text string) {
	switch o.Reason {
	case spool.ReasonHelo:
		return "refuses this machine's name", fmt.Sprintf("refuses this machine's name %s (%s): set hostname in [site] to its full name, one that the server finds in DNS", hello, o.Reply)
	case spool.ReasonSendAs, spool.ReasonIdentity:
		return "may not send as", fmt.Sprintf("may not send as %s (%s): set rewrite_from = true in [site], for mail queued from then on, or let the account send as that address, for what is queued, too", sender, o.Reply)
	}
	return "", ""
}
