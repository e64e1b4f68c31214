package flush

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"notices/spool"
	"notices/spool/maillog"
)

// results are what the goroutines of a run collect.
type results struct {
	mu       sync.Mutex
	tally    spool.Tally
	outages  map[string]*outage // by group
	limited  map[string]int     // messages that a limit put off, by its text
	refusals []refusal          // to be decided at the end of the run
	reports  entryList          // stored in this run, to be sent at its end
	fatal    error              // ends the run
	firstErr error              // the first error of a single message; the run goes on
	done     int
	total    int
}

// change lets one goroutine at a time change the results.
func (r *results) change(by func(*results)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	by(r)
}

// stop ends the run as soon as the attempts under way are over.
func (r *results) stop(err error) { r.change(func(*results) { r.fatal = cmp.Or(r.fatal, err) }) }

func (r *results) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal != nil
}

func (r *results) addReports(entries []spool.Entry) {
	r.change(func(*results) { r.reports.add(entries...) })
}

func (r *results) takeReports() (made entryList) {
	r.change(func(*results) { made, r.reports = r.reports, entryList{} })
	return made
}

// countLimited counts a message that stays due because of a limit.
func (r *results) countLimited(why string) { r.change(func(*results) { r.limited[why]++ }) }

// outage returns the outage of a group, or nil.
func (r *results) outage(group string) *outage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outages[group]
}

// addOutage notes an outage of a group. If there is one already, it returns that.
func (r *results) addOutage(group string, o *outage) *outage {
	r.change(func(*results) {
		o = cmp.Or(r.outages[group], o)
		r.outages[group] = o
	})
	return o
}

// logPostponed logs how many messages were put off, and why.
func (r *results) logPostponed(log *maillog.Log) {
	for _, group := range slices.Sorted(maps.Keys(r.outages)) {
		o := r.outages[group]
		if o.last.Reason == spool.ReasonNoServer {
			log.Trouble("senders", errors.New(o.text()))
		}
		if o.postponed > 0 {
			log.Postponed(o.postponed, o.text())
		}
	}
	for _, why := range slices.Sorted(maps.Keys(r.limited)) {
		log.Postponed(r.limited[why], why+"; they stay due")
	}
}
