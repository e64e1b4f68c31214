// Package alert decides when a problem that lasts is reported to a person. Flush runs every
// minute, and cron mails what it prints, perhaps through the very spool that has the
// problem. So each problem is reported once when it begins, again when its kind changes, and
// once when it is over.
//
// A problem is reported repeatedly only if it also keeps the mail about it from being queued.
// Such a problem, and one that comes and goes, is reported less and less often: after an hour
// at the earliest, then after two, four, and so on up to a day. Its end is reported only if
// its beginning was. After two days without it, the count starts again.
//
// A small state value holds what was reported. Each run reads it, and writes it under the
// state's lock when it changes, so that only one of two simultaneous runs reports.
package alert

import (
	"maps"
	"slices"
	"time"

	"notices/spool/printable"
)

// Alert is a problem that a run met.
type Alert struct {
	Key  string // what has the problem: "server 1", "spool"
	Kind string // what is wrong with it; another kind is reported at once
	Text string // the report: sentences, with the next step

	Cause    string // the problem in few words, for the sentence at its end
	OverText string // what holds once it is over: "server 1 takes mail again"

	// Repeat reports the problem again while it lasts. It is for problems that may also
	// keep the mail about them from being queued.
	Repeat bool

	// Events is how many things happened that a person should look at, one by one; 0 if
	// this is a state. They are reported within an hour, however many there are.
	Events int
	Unsent int // events since the last report; Update sets it
}

// Entry is what is kept of a problem.
type Entry struct {
	Since    time.Time `json:"since,omitzero"` // when it began; zero: it is over
	Seen     time.Time `json:"seen,omitzero"`  // when it was last met, to about seenInterval
	SentKind string    `json:"told,omitempty"` // the kind that was reported last; empty: not reported since it began
	Kind     string    `json:"kind,omitempty"` // the kind that was met last
	Cause    string    `json:"cause,omitempty"`
	OverText string    `json:"over,omitempty"`
	Unsent   int       `json:"missed,omitempty"` // events since the last report

	Sent map[string]Sent `json:"past,omitempty"` // by kind
}

// Sent is when a kind of problem was last reported, and how many times within two days.
type Sent struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// Open reports whether the problem still lasts.
func (e *Entry) Open() bool { return !e.Since.IsZero() }

// Entries are all entries that are kept, by key.
type Entries map[string]*Entry

// Resolution is the end of a problem that was reported.
type Resolution struct {
	Key string
	Entry
}

// Status is the present status of a problem that a run did not meet.
type Status int

// Statuses.
const (
	Active   Status = iota // it lasts, or nothing is known
	Resolved               // it is over
	Dropped                // it is over, and its end is not worth telling
)

const (
	minInterval  = time.Hour
	maxInterval  = 24 * time.Hour
	forgetAfter  = 48 * time.Hour
	seenInterval = 10 * time.Minute
	maxKeys      = 64  // bounds the value; a problem beyond it is not reported
	maxText      = 300 // the longest text that is kept, in octets
)

// update applies what a run met, and the status of what it did not meet. It returns what
// is to be reported, and whether the entries have to be kept.
func (b Entries) update(now time.Time, met []Alert, status func(key string, e *Entry) Status) (begun []Alert, ended []Resolution, changed bool) {
	seen := map[string]bool{}
	for _, a := range met {
		if seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		tell, change := b.updateMet(now, &a)
		if tell {
			begun = append(begun, a)
		}
		changed = changed || change
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		e := b[key]
		if seen[key] {
			continue
		}
		current := Active
		if e.Open() {
			current = status(key, e)
		}
		switch {
		case !e.Open() && now.Sub(e.Latest()) >= forgetAfter:
			delete(b, key)
		case current == Active && e.Unsent > 0 && e.intervalOver(now):
			begun = append(begun, Alert{Key: key, Unsent: e.takeUnsent(now)})
		case current != Active:
			if current == Resolved && e.SentKind != "" {
				ended = append(ended, Resolution{key, *e})
			}
			*e = Entry{Sent: e.Sent}
		default:
			continue
		}
		changed = true
	}
	return begun, ended, changed
}

func (b Entries) updateMet(now time.Time, a *Alert) (tell, changed bool) {
	e := b[a.Key]
	if e == nil {
		if len(b) >= maxKeys {
			return false, false
		}
		e = &Entry{}
		b[a.Key] = e
	}
	if !e.Open() {
		e.Since, changed = now, true
	}
	if age := now.Sub(e.Seen); age >= seenInterval || age < 0 {
		e.Seen, changed = now, true
	}
	if e.Kind != a.Kind {
		e.Kind, e.Cause, e.OverText, changed = a.Kind, printable.Short(a.Cause, maxText), printable.Short(a.OverText, maxText), true
	}
	last, sent := e.Sent[a.Kind]
	age := now.Sub(last.At)
	switch again := e.SentKind == a.Kind; {
	case again && a.Events > 0 && !e.intervalOver(now):
		e.Unsent += a.Events
		return false, true
	case again && a.Events > 0:
		a.Unsent = e.takeUnsent(now)
	case again && !a.Repeat, sent && age >= 0 && age < interval(last.N):
		return false, changed
	default:
		if age >= forgetAfter {
			last.N = 0
		}
		if len(e.Sent) >= maxKeys {
			e.Sent = nil
		}
		e.SentKind = a.Kind
		e.setSent(Sent{now, last.N + 1})
	}
	return true, true
}

// setSent records when SentKind was reported.
func (e *Entry) setSent(s Sent) {
	if e.Sent == nil {
		e.Sent = map[string]Sent{}
	}
	e.Sent[e.SentKind] = s
}

// intervalOver reports whether further events of the kind that was reported last may be reported.
func (e *Entry) intervalOver(now time.Time) bool {
	age := now.Sub(e.Sent[e.SentKind].At)
	return age >= minInterval || age < 0
}

// takeUnsent returns the number of unsent events, which are reported now, and resets it.
func (e *Entry) takeUnsent(now time.Time) int {
	n := e.Unsent
	e.Unsent = 0
	e.setSent(Sent{now, e.Sent[e.SentKind].N})
	return n
}

// interval is how long a kind that was reported n times is not reported again.
func interval(n int) time.Duration {
	d := minInterval
	for ; n > 1 && d < maxInterval; n-- {
		d *= 2
	}
	return min(d, maxInterval)
}
