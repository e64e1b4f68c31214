// Package alert decides what a person is told of trouble that lasts. Flush runs every
// minute and cron mails what it prints, perhaps through the very spool that is in
// trouble. So each trouble is told once when it begins, again when it becomes another
// one, and once when it is over.
//
// Only trouble that also keeps the mail about it from being queued is told again and again.
// It, and what comes and goes, is told more and more seldom: again after an hour
// at the earliest, then after two, four, and so on up to a day. Its end is told only if
// its beginning was. After two days without it the count starts anew.
//
// What was told is a small state value. It is read in each run and written when it
// changes, under the lock of the state: of two flushes at once, one tells.
package alert

import (
	"maps"
	"slices"
	"time"

	"notices/spool/printable"
)

// Alert is a trouble that a run met.
type Alert struct {
	Key  string // the thing in trouble: "server 1", "spool"
	Kind string // what is wrong with it: another kind is told anew
	Text string // what a person is told: sentences, with the next step

	Cause    string // the trouble in few words, for the sentence at its end
	OverText string // what holds once it is over: "server 1 takes mail again"

	// Again: while it lasts it is told again, as what comes and goes is: the mail that tells
	// of it may be lost, because the program that queues it meets the same.
	Repeat bool

	// New is how many things happened, where each of them is for a person to look at; 0: it
	// is a state. They are told within the hour, however many there are.
	Events int
	// Missed is set in what is returned: how many happened since it was told last.
	Unsent int
}

// Entry is what is kept of a trouble.
type Entry struct {
	Since    time.Time `json:"since,omitzero"` // when it began; zero: it is over
	Seen     time.Time `json:"seen,omitzero"`  // when it was last met, to about seenEvery
	SentKind string    `json:"told,omitempty"` // the kind that was told last; empty: none since it began
	Kind     string    `json:"kind,omitempty"` // the kind that was met last
	Cause    string    `json:"cause,omitempty"`
	OverText string    `json:"over,omitempty"`
	// Missed are the things that happened since it was told last.
	Unsent int `json:"missed,omitempty"`
	// Past says for each kind when it was told, and how often within two days.
	Sent map[string]Sent `json:"past,omitempty"`
}

// Past is when a kind of trouble was told.
type Sent struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// Open reports whether the trouble is there.
func (e *Entry) Open() bool { return !e.Since.IsZero() }

// Entries are all entries that are kept, by key.
type Entries map[string]*Entry

// End is the end of a trouble that was told.
type Resolution struct {
	Key string
	Entry
}

// State says how it is with a trouble that a run did not meet.
type Status int

// States.
const (
	Active Status = iota // or nobody knows
	Resolved
	Dropped // over, and not worth a word
)

const (
	minInterval = time.Hour
	maxInterval = 24 * time.Hour
	forgetAfter = 48 * time.Hour
	seenEvery   = 10 * time.Minute
	// maxKeys bounds the value. Trouble beyond it is not told.
	maxKeys = 64
	// maxText is the longest text that is kept, in octets.
	maxText = 300
)

// turn brings the book up to date with what a run met, and with how it is with what it
// did not meet. It returns what is to be told. changed: the book has to be kept.
func (b Entries) update(now time.Time, met []Alert, state func(key string, e *Entry) Status) (begun []Alert, ended []Resolution, changed bool) {
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
		switch {
		case seen[key]:
		case e.Open():
			again, over, change := e.updateAbsent(now, key, state(key, e))
			begun, ended, changed = append(begun, again...), append(ended, over...), changed || change
		case e.expired(now):
			delete(b, key)
			changed = true
		}
	}
	return begun, ended, changed
}

// turn is Entries.update for an entry that the run did not meet.
func (e *Entry) updateAbsent(now time.Time, key string, how Status) (begun []Alert, ended []Resolution, changed bool) {
	if how == Active {
		if e.Unsent > 0 && e.intervalOver(now) {
			return []Alert{{Key: key, Unsent: e.takeUnsent(now)}}, nil, true
		}
		return nil, nil, false
	}
	if how == Resolved && e.SentKind != "" {
		ended = []Resolution{{key, *e}}
	}
	*e = Entry{Sent: e.Sent}
	return nil, ended, true
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
	if age := now.Sub(e.Seen); age >= seenEvery || age < 0 {
		e.Seen, changed = now, true
	}
	if e.Kind != a.Kind {
		e.Kind, e.Cause, e.OverText, changed = a.Kind, printable.Short(a.Cause, maxText), printable.Short(a.OverText, maxText), true
	}
	if e.SentKind == a.Kind && a.Events > 0 {
		if !e.intervalOver(now) {
			e.Unsent += a.Events
			return false, true
		}
		a.Unsent = e.takeUnsent(now)
		return true, true
	}
	if e.SentKind == a.Kind && !a.Repeat || !e.due(now, a.Kind) {
		return false, changed
	}
	past := e.Sent[a.Kind]
	if now.Sub(past.At) >= forgetAfter {
		past.N = 0
	}
	if e.Sent == nil || len(e.Sent) >= maxKeys {
		e.Sent = map[string]Sent{}
	}
	e.Sent[a.Kind] = Sent{now, past.N + 1}
	e.SentKind = a.Kind
	return true, true
}

// rested reports whether what was told last may be told again for more of it.
func (e *Entry) intervalOver(now time.Time) bool {
	age := now.Sub(e.Sent[e.SentKind].At)
	return age >= minInterval || age < 0
}

// catchUp notes that what was missed is told now, and returns how many that are.
func (e *Entry) takeUnsent(now time.Time) (missed int) {
	past := e.Sent[e.SentKind]
	if e.Sent == nil {
		e.Sent = map[string]Sent{}
	}
	e.Sent[e.SentKind] = Sent{now, past.N}
	missed, e.Unsent = e.Unsent, 0
	return missed
}

// due reports whether a kind may be told again.
func (e *Entry) due(now time.Time, kind string) bool {
	past, told := e.Sent[kind]
	age := now.Sub(past.At)
	return !told || age < 0 || age >= interval(past.N)
}

// gap is how long what was told n times is not told again.
func interval(n int) time.Duration {
	d := minInterval
	for ; n > 1 && d < maxInterval; n-- {
		d *= 2
	}
	return min(d, maxInterval)
}

// stale: what was told of it does not count any more.
func (e *Entry) expired(now time.Time) bool {
	for _, past := range e.Sent {
		if now.Sub(past.At) < forgetAfter {
			return false
		}
	}
	return true
}
