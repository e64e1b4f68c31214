package status

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/records"
	"notices/spool/service"
)

// site is a site of a hosted service, and what it did today.
type site struct {
	Site          string     `json:"site"`
	Name          string     `json:"name"`
	State         string     `json:"state"` // active or revoked
	MessagesToday int        `json:"messages_today"`
	Queued        int        `json:"queued"`
	Deferred      int        `json:"deferred"`
	ReturnedToday int        `json:"returned_today"` // recipients, late returns too
	LastUsedAt    *time.Time `json:"last_used_at"`
}

// waiting are the messages of a site in the spool.
type waiting struct{ queued, deferred int }

// hostedSites are the sites of a service, in the order of their names.
type hostedSites []service.Site

// loadSites reads the register of sites. Where there is no service, it reads nothing.
func loadSites(ctx context.Context, o *Options, state spool.State, now time.Time) (hostedSites, error) {
	if o.Check || !o.isService() {
		return nil, nil
	}
	register := service.Register{State: state, Now: func() time.Time { return now }}
	return register.List(ctx)
}

// since is when the site of that name was registered. Older mail is of another customer, who had
// the name before.
func (h hostedSites) since(name string) time.Time {
	i, ok := slices.BinarySearchFunc(h, name, func(v service.Site, name string) int { return strings.Compare(v.ID, name) })
	if !ok {
		return time.Time{}
	}
	return h[i].Created
}

func (c *collector) countSite(r *spool.Record) {
	name := r.Envelope.Site
	if name == "" || r.Envelope.ID.HandedIn(r.Envelope.QueuedAt).Before(c.hosted.since(name)) {
		return
	}
	if c.bySite == nil {
		c.bySite = map[string]waiting{}
	}
	w := c.bySite[name]
	switch r.State() {
	case spool.StateQueued:
		w.queued++
	case spool.StateDeferred:
		w.deferred++
	}
	c.bySite[name] = w
}

// isService reports whether sites hand in mail here.
func (o *Options) isService() bool { return o.Config != nil && o.Config.Serve.Address != "" }

// countFailedOfSites counts the failed messages of sites. They are no reason for an alarm: a site
// could raise it at will, with mail that cannot be returned.
func (c *collector) countFailedOfSites(ctx context.Context, failed []spool.Entry) error {
	if !c.o.isService() {
		return nil
	}
	return records.Read(ctx, c.q.Store, failed[:min(len(failed), mostRecords)], func(m records.Message) {
		if m.Err == nil && m.Record.Envelope.Site != "" {
			c.s.failedOfSites++
		}
	})
}

// failed finds messages that could not even be returned.
func (c *verdict) failed() {
	s := c.s
	if n := s.Failed - s.failedOfSites; n > 0 {
		c.note(Warning, "%s failed and could not be returned: notices list --state failed", printable.Count(n, "message"))
	}
	if n := s.failedOfSites; n > 0 {
		c.remark("%s of sites failed and could not be returned: notices list --state failed", printable.Count(n, "message"))
	}
}

// sites finds what each site does today.
func (c *collector) sites(ctx context.Context) error {
	list, returned := c.hosted, map[string]int{}
	if len(list) == 0 {
		return nil
	}
	year, month, day := c.s.now.Date()
	q := spool.HistoryQuery{Since: time.Date(year, month, day, 0, 0, 0, 0, c.s.now.Location()), Endings: []spool.Ending{spool.EndedReturned, spool.EndedBounced}}
	_, err := c.q.Store.History(ctx, q, func(e *spool.HistoryEntry) bool {
		if !e.ID.HandedIn(e.QueuedAt).Before(c.hosted.since(e.Site)) {
			returned[e.Site]++
		}
		return true
	})
	for i := range list {
		v, w := &list[i], c.bySite[list[i].ID]
		one := site{v.ID, v.Name, "active", v.Today, w.queued, w.deferred, returned[v.ID], term.Stamp(v.LastUsed)}
		if !v.Revoked.IsZero() {
			one.State = "revoked"
		}
		c.s.Sites = append(c.s.Sites, one)
	}
	return err
}

// busy reports whether the site did something today or has mail waiting.
func (v *site) busy() bool { return v.MessagesToday+v.Queued+v.Deferred+v.ReturnedToday > 0 }

// shownSites is how many sites a person is shown: those with the most messages.
const shownSites = 20

// sites shows the sites that did something today or have mail waiting.
func (t *statusText) sites() {
	if len(t.s.Sites) == 0 {
		return
	}
	t.Title(term.Bold, "Sites")
	busy := slices.DeleteFunc(slices.Clone(t.s.Sites), func(v site) bool { return !v.busy() })
	slices.SortStableFunc(busy, func(a, b site) int { return cmp.Compare(b.MessagesToday, a.MessagesToday) })
	shown := busy[:min(len(busy), shownSites)]
	for i := range shown {
		v := &shown[i]
		words := []string{printable.Count(v.MessagesToday, "message") + " today"}
		for _, n := range []struct {
			n    int
			what string
		}{{v.Queued, "queued"}, {v.Deferred, "deferred"}, {v.ReturnedToday, "returned today"}} {
			if n.n > 0 {
				words = append(words, printable.Number(n.n)+" "+n.what)
			}
		}
		t.Row("  ", "", "%s: %s", v.Site, strings.Join(words, ", "))
	}
	switch rest := len(t.s.Sites) - len(shown); {
	case rest > 0 && len(shown) == 0:
		t.Row("  ", "", "%s, no mail today; to see all, run: notices service-key list", printable.Count(rest, "site"))
	case rest > 0:
		t.Row("  ", "", "%s; to see all, run: notices service-key list", printable.Count(rest, "more site"))
	}
}
