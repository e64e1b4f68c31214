package spool

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"
)

// OutagesName + server is the state value of a server's Outages.
const OutagesName = "outages-"

// maxOutages bounds a value of Outages to some 60 KiB.
const maxOutages = 400

// Outages are the times in which a server did not work, the oldest first. The one that is
// not over yet is in the server's Health. So a value is written only when an outage ends.
type Outages []Outage

// Outage is a time in which a server did not work: from the failure that paused it until
// it was seen to work again.
type Outage struct {
	Host   string    `json:"host,omitempty"` // the server of that name may have been another one then
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason Reason    `json:"reason,omitempty"` // of the last failure
	// N is how many outages this stands for, if more than one, and Down how long they lasted,
	// in seconds: old ones are joined when there are too many.
	N    int     `json:"n,omitempty"`
	Down float64 `json:"down,omitempty"`
}

// Count is how many outages this stands for.
func (o *Outage) Count() int { return max(o.N, 1) }

// Lasted is how long the server did not work.
func (o *Outage) Lasted() time.Duration {
	if o.N > 1 {
		return time.Duration(o.Down * float64(time.Second))
	}
	return max(0, o.Until.Sub(o.Since))
}

// Within is how many of the outages were between two times, at least in part, and how long
// they lasted there. Of joined ones it is an estimate.
func (o *Outage) Within(since, until time.Time) (n int, lasted time.Duration) {
	from, to := o.Since, o.Until
	if from.Before(since) {
		from = since
	}
	if to.After(until) {
		to = until
	}
	if to.Before(from) || to.Equal(from) && o.Since.Before(since) {
		return 0, 0
	}
	if span := o.Until.Sub(o.Since); o.N > 1 && span > 0 {
		share := to.Sub(from).Seconds() / span.Seconds()
		return max(1, int(math.Round(float64(o.N)*share))), time.Duration(share * float64(o.Lasted()))
	}
	return o.Count(), to.Sub(from)
}

// EndOutage keeps that a server works again, or that another server took its name: its
// present outage, which is the one in its Health, ended at that time. It comes before the
// change of the Health; a second call does nothing more. keep is how long ended outages are
// kept; 0: not at all, and those that are kept go.
func EndOutage(ctx context.Context, s State, server string, end time.Time, keep time.Duration) error {
	if keep <= 0 {
		return dropOutages(ctx, s, OutagesName+server)
	}
	h, err := LoadState[Health](ctx, s, HealthName+server)
	if err != nil || h.Troubles == 0 {
		return err
	}
	o := Outage{Host: h.Last.Reply.Host, Since: h.Began().UTC(), Until: end.UTC().Truncate(time.Second), Reason: h.Last.Reason}
	return UpdateState(ctx, s, OutagesName+server, false, func(list *Outages) error {
		list.add(o)
		*list = slices.DeleteFunc(*list, func(old Outage) bool { return end.Sub(old.Until) > keep })
		return nil
	})
}

func dropOutages(ctx context.Context, s State, name string) error {
	if old, err := s.Load(ctx, name); err != nil || old == nil {
		return err
	}
	return s.Update(ctx, name, false, func([]byte) ([]byte, error) { return nil, nil })
}

// LoadOutages are the outages of a server that are kept, and the one that is not over yet,
// until now.
func LoadOutages(ctx context.Context, s State, server string, now time.Time) (list Outages, lasts bool, err error) {
	if list, err = LoadState[Outages](ctx, s, OutagesName+server); err != nil {
		return nil, false, err
	}
	h, err := LoadState[Health](ctx, s, HealthName+server)
	if err == nil && h.Troubles > 0 {
		lasts = true
		list.add(Outage{Host: h.Last.Reply.Host, Since: h.Began(), Until: now, Reason: h.Last.Reason})
	}
	return list, lasts, err
}

// add puts an outage in its place. One that is there already may have got a later end: two
// flushes can see that the server works again, and a flush can die between the two writes.
func (list *Outages) add(o Outage) {
	if o.Until.Before(o.Since) {
		o.Until = o.Since // the clock was set back
	}
	i, found := slices.BinarySearchFunc(*list, o, func(a, b Outage) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Host, b.Host))
	})
	if found && (*list)[i].N <= 1 {
		(*list)[i] = o
	} else {
		*list = slices.Insert(*list, i, o)
	}
	for len(*list) > maxOutages {
		list.join()
	}
}

// join makes one of the two oldest of the same day and host, or of the two oldest.
func (list *Outages) join() {
	at := 0
	for i := range (*list)[1:] {
		a, b := &(*list)[i], &(*list)[i+1]
		if a.Host == b.Host && a.Since.Truncate(24*time.Hour).Equal(b.Since.Truncate(24*time.Hour)) {
			at = i
			break
		}
	}
	a, b := (*list)[at], (*list)[at+1]
	b.N, b.Down, b.Since = a.Count()+b.Count(), (a.Lasted() + b.Lasted()).Seconds(), a.Since
	if a.Until.After(b.Until) {
		b.Until = a.Until
	}
	*list = slices.Replace(*list, at, at+2, b)
}
