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

// A notice in status is renewed when it is met again after noticeFresh, and goes
// when a run went well and it was not met for noticeStays: longer than a deferred
// message takes to come round again.
const (
	noticeFresh = time.Hour
	noticeStays = 3 * time.Hour
)

// recall reads what earlier runs remembered. When that cannot be read the server
// is taken to be well: the mail matters more.
func (s *server) recall(ctx context.Context) {
	if s.health.state == nil {
		return
	}
	h, err := spool.LoadState[spool.Health](ctx, s.health.state, spool.HealthName+s.config.Name)
	if err != nil {
		s.log.Trouble("reading the health of server "+s.config.Name, err)
		h = spool.Health{}
	}
	paused := h.Secret != "" && s.now().Before(h.DownUntil)
	if paused && !s.breaker.ignore && s.secret.changed(ctx, h.Secret) {
		h.DownUntil = time.Time{}
	}
	s.breaker.recall(h)
	s.notices.shown, s.notices.at = h.Notice, h.NoticeAt
}

// healthStore is where the health of a server is kept from run to run.
type healthStore struct {
	state  spool.State // nil: nowhere
	server string
	log    *maillog.Log
	mu     sync.Mutex
}

// save changes what is remembered. It outlives ctx: a stopped run has most to tell.
func (s *healthStore) save(ctx context.Context, change func(*spool.Health)) error {
	if s.state == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := spool.UpdateState(context.WithoutCancel(ctx), s.state, spool.HealthName+s.server, false,
		func(h *spool.Health) error { change(h); return nil })
	if err != nil {
		return fmt.Errorf("saving the health of server %s: %w", s.server, err)
	}
	return nil
}

// trySave is save where an error stops no mail.
func (s *healthStore) trySave(ctx context.Context, change func(*spool.Health)) {
	if err := s.save(ctx, change); err != nil {
		s.log.Trouble("server "+s.server, err)
	}
}

// saveTrouble remembers that the server went down in this run. Two flushes that
// meet the same trouble count it once.
func (s *server) saveTrouble(ctx context.Context, o spool.Outcome, unopened bool) {
	mine := s.breaker.remembered()
	s.log.Paused(s.config.Name, mine.DownUntil, o)
	digest := ""
	if o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret {
		digest = s.secret.digest()
	}
	s.health.trySave(ctx, func(h *spool.Health) {
		if h.Troubles == 0 || h.Since.IsZero() || !h.Of(s.config.Host) {
			h.Since = mine.Since
		}
		h.Troubles = max(h.Troubles, mine.Troubles)
		h.DownUntil, h.Last, h.Secret, h.Refused, h.Unopened = mine.DownUntil, mine.Last, digest, mine.Refused, unopened
	})
}

// saveRecovery forgets the troubles of earlier runs.
func (s *server) saveRecovery(ctx context.Context) {
	s.health.trySave(ctx, func(h *spool.Health) {
		*h = spool.Health{Notice: h.Notice, NoticeAt: h.NoticeAt, TookAt: h.TookAt, UpAt: s.now().UTC().Truncate(time.Second)}
	})
}

// saveEnd saves what the end of the run changes: the pause of a server in trouble
// begins now, and a notice that is over goes. Mostly there is nothing to save.
func (s *server) saveEnd(ctx context.Context) error {
	mine, worked, changed := s.breaker.end()
	over := worked && s.notices.over(s.now())
	if !changed && !over {
		return nil
	}
	return s.health.save(ctx, func(h *spool.Health) {
		h.DownUntil, h.TookAt, h.Refused = mine.DownUntil, mine.TookAt, mine.Refused
		h.Notice, h.NoticeAt = s.notices.shown, s.notices.at
	})
}

// notices are what status shows of a server until it is over: a connection less secure than wanted, or
// what a person can do about an answer.
type notices struct {
	mu           sync.Mutex
	kinds, texts []string // this run's
	shown        string
	at           time.Time
}

// add reports whether the kind is new in this run, and whether status has yet to be told.
func (n *notices) add(kind, text string, now time.Time) (news, save bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.kinds, kind) {
		return false, false
	}
	n.kinds, n.texts = append(n.kinds, kind), append(n.texts, text)
	if strings.Contains(n.shown, kind) && now.Sub(n.at) < noticeFresh {
		return true, false
	}
	n.shown, n.at = strings.Join(n.texts, "; "), now
	return true, true
}

// over drops what was not met in this run nor for noticeStays, and reports whether it did.
func (n *notices) over(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shown == "" || len(n.texts) > 0 || now.Sub(n.at) <= noticeStays {
		return false
	}
	n.shown, n.at = "", time.Time{}
	return true
}

// notice keeps a notice for status, once a run for each kind, and reports whether it is new.
func (s *server) notice(ctx context.Context, kind, text string) bool {
	now := s.now()
	news, save := s.notices.add(kind, text, now)
	if save {
		s.health.trySave(ctx, func(h *spool.Health) {
			s.notices.mu.Lock()
			defer s.notices.mu.Unlock()
			h.Notice, h.NoticeAt = s.notices.shown, s.notices.at
		})
	}
	return news
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

// stepDown notes that the connection is less secure than wanted. What is before the
// colon says how; the rest may differ each time, if only by the time of day.
func (s *server) stepDown(ctx context.Context, what string) {
	kind, _, _ := strings.Cut(what, ":")
	if s.notice(ctx, kind, what) {
		s.log.StepDown(s.config.Name, what)
	}
}
