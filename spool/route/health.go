package route

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/spool"
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
	if s.state == nil {
		return
	}
	h, err := spool.LoadState[spool.Health](ctx, s.state, spool.HealthName+s.Name)
	if err != nil {
		s.log.Trouble("reading the health of server "+s.Name, err)
		h = spool.Health{}
	}
	paused := h.Secret != "" && s.now().Before(h.DownUntil)
	if paused && !s.breaker.ignore && s.secret.changed(ctx, h.Secret) {
		h.DownUntil = time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaker.health = h
	s.breaker.recalled = h.Refused
	s.breaker.suspect = h.Troubles > 0
	s.breaker.unproven = s.breaker.suspect || !s.breaker.provenBefore(s.now())
}

// save changes what is remembered. It outlives ctx: a stopped run has most to tell.
func (s *server) save(ctx context.Context, change func(*spool.Health)) error {
	if s.state == nil {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	err := spool.UpdateState(context.WithoutCancel(ctx), s.state, spool.HealthName+s.Name, false,
		func(h *spool.Health) error { change(h); return nil })
	if err != nil {
		return fmt.Errorf("saving the health of server %s: %w", s.Name, err)
	}
	return nil
}

// saveTrouble remembers that the server went down in this run. Two flushes that
// meet the same trouble count it once.
func (s *server) saveTrouble(ctx context.Context, o spool.Outcome) {
	s.mu.Lock()
	mine := s.breaker.health
	s.mu.Unlock()
	s.log.Paused(s.Name, mine.DownUntil, o)
	digest := ""
	if o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret {
		digest = s.secret.digest()
	}
	err := s.save(ctx, func(h *spool.Health) {
		if h.Troubles == 0 || h.Since.IsZero() || !h.Of(s.Host) {
			h.Since = mine.Since
		}
		h.Troubles = max(h.Troubles, mine.Troubles)
		h.DownUntil, h.Last, h.Secret, h.Refused = mine.DownUntil, mine.Last, digest, mine.Refused
	})
	if err != nil {
		s.log.Trouble("server "+s.Name, err)
	}
}

// saveWell forgets the troubles of earlier runs.
func (s *server) saveWell(ctx context.Context) {
	err := s.save(ctx, func(h *spool.Health) {
		*h = spool.Health{Notice: h.Notice, NoticeAt: h.NoticeAt, TookAt: h.TookAt}
	})
	if err != nil {
		s.log.Trouble("server "+s.Name, err)
	}
}

// advise keeps for status what a person can do about the answer: the account may not send
// as this sender (5.7.60), or the name of this machine is refused.
func (s *server) advise(ctx context.Context, sender string, o spool.Outcome) {
	switch o.Reason {
	case spool.ReasonHelo:
		s.notice(ctx, "refuses this machine's name", fmt.Sprintf("refuses this machine's name %s (%s): set hostname in [site] to its full name, one that the server finds in DNS",
			s.Hello, o.Reply))
		return
	case spool.ReasonSendAs, spool.ReasonIdentity:
	default:
		return
	}
	s.notice(ctx, "may not send as", fmt.Sprintf("may not send as %s (%s): set rewrite_from = true in [site], for mail queued from then on, or let the account send as that address, for what is queued, too",
		sender, o.Reply))
}

// stepDown notes that the connection is less secure than wanted. What is before the
// colon says how; the rest may differ each time, if only by the time of day.
func (s *server) stepDown(ctx context.Context, what string) {
	kind, _, _ := strings.Cut(what, ":")
	if s.notice(ctx, kind, what) {
		s.log.StepDown(s.Name, what)
	}
}

// notice keeps a standing word for status, once a run for each kind, and reports
// whether it did. What status shows already it leaves alone while that is fresh.
func (s *server) notice(ctx context.Context, kind, text string) bool {
	s.mu.Lock()
	b := &s.breaker
	if slices.Contains(b.kinds, kind) {
		s.mu.Unlock()
		return false
	}
	b.kinds, b.notices = append(b.kinds, kind), append(b.notices, text)
	h := &b.health
	if strings.Contains(h.Notice, kind) && s.now().Sub(h.NoticeAt) < noticeFresh {
		s.mu.Unlock()
		return true
	}
	h.Notice, h.NoticeAt = strings.Join(b.notices, "; "), s.now()
	words, at := h.Notice, h.NoticeAt
	s.mu.Unlock()
	if err := s.save(ctx, func(h *spool.Health) { h.Notice, h.NoticeAt = words, at }); err != nil {
		s.log.Trouble("server "+s.Name, err)
	}
	return true
}

// settle saves what the end of the run changes: the pause of a server in trouble
// begins now, and a notice that is over goes. Mostly there is nothing to save.
func (s *server) settle(ctx context.Context) error {
	s.mu.Lock()
	b := &s.breaker
	h := &b.health
	change := false
	if until := s.now().Add(pauseFor(h.Troubles)); b.down && until.After(h.DownUntil.Add(time.Second)) {
		h.DownUntil, change = until, true
	}
	if took := b.tookAt.UTC().Truncate(time.Second); took.Sub(h.TookAt) >= time.Minute {
		h.TookAt, change = took, true
	}
	change = change || !slices.Equal(h.Refused, b.recalled)
	if b.worked && h.Notice != "" && len(b.notices) == 0 && s.now().Sub(h.NoticeAt) > noticeStays {
		h.Notice, h.NoticeAt, change = "", time.Time{}, true
	}
	mine := *h
	s.mu.Unlock()
	if !change {
		return nil
	}
	return s.save(ctx, func(h *spool.Health) {
		h.DownUntil, h.Notice, h.NoticeAt, h.TookAt, h.Refused = mine.DownUntil, mine.Notice, mine.NoticeAt, mine.TookAt, mine.Refused
	})
}
