package rate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"notices/spool"
)

// Sites are the quotas of the sites of a hosted service. Each site may do so much in a minute and
// in a day, on all hosts that share the State together. It is safe for concurrent use.
type Sites struct {
	what  string
	state spool.State
	now   func() time.Time

	mu                sync.Mutex
	perMinute, perDay int
	list              map[string]*siteQuota
	replaced          []*Quota // by Change
	closed            []*Quota // likewise, and closed once: a Take that began before may reserve yet
}

// siteQuota is the quota of one site.
type siteQuota struct {
	*Quota
	told time.Time // the caller knows already that it is used up until then
}

// NewSites makes the quotas. what is a word that begins the names of their counts in the State;
// a rate of 0 is no limit.
func NewSites(what string, perMinute, perDay int, state spool.State, now func() time.Time) *Sites {
	return &Sites{what: what, state: state, now: now, perMinute: perMinute, perDay: perDay, list: map[string]*siteQuota{}}
}

func (s *Sites) of(site string) *siteQuota {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.list[site]
	if one == nil {
		one = &siteQuota{Quota: newSiteQuota(s.what+"-"+site, s.perMinute, s.perDay, s.state, s.now)}
		s.list[site] = one
	}
	return one
}

// Take counts one transaction of a site, and returns when that was. The error is *Exhausted, or the
// State's. first: the quota is used up, and that is news.
func (s *Sites) Take(ctx context.Context, site string) (at time.Time, first bool, err error) {
	one := s.of(site)
	at, err = one.TryTake(ctx)
	var used *Exhausted
	if errors.As(err, &used) {
		s.mu.Lock()
		defer s.mu.Unlock()
		first = s.now().After(one.told)
		one.told = used.Until
	}
	return at, first, err
}

// PutBack undoes the counting of a transaction that did not happen.
func (s *Sites) PutBack(site string, at time.Time) { s.of(site).PutBack(at) }

// Change sets other rates. What was counted stays counted.
func (s *Sites) Change(perMinute, perDay int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if perMinute == s.perMinute && perDay == s.perDay {
		return
	}
	s.perMinute, s.perDay = perMinute, perDay
	for _, one := range s.list {
		s.replaced = append(s.replaced, one.Quota)
	}
	clear(s.list)
}

// Close gives back what was reserved and not used. It is to be called now and then, and at the end;
// the quotas can be used on.
func (s *Sites) Close(ctx context.Context) error {
	s.mu.Lock()
	list := slices.Concat(s.replaced, s.closed)
	s.closed, s.replaced = s.replaced, nil
	for _, one := range s.list {
		list = append(list, one.Quota)
	}
	s.mu.Unlock()
	var errs []error
	for _, one := range list {
		errs = append(errs, one.Close(ctx))
	}
	return errors.Join(errs...)
}
