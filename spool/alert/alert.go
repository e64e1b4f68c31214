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
)

// Alert is a trouble that a run met.
type Alert struct {
	Key  string // the thing in trouble: "server 1", "spool"
	Kind string // what is wrong with it: another kind is told anew
	Text string // what a person is told: sentences, with the next step

	Cause string // the trouble in few words, for the sentence at its end
	Over  string // what holds once it is over: "server 1 takes mail again"

	// Again: while it lasts it is told again, as what comes and goes is: the mail that tells
	// of it may be lost, because the program that queues it meets the same.
	Again bool

	// New is how many things happened, where each of them is for a person to look at; 0: it
	// is a state. They are told within the hour, however many there are.
	New int
	// Missed is set in what is returned: how many happened since it was told last.
	Missed int
}

// Entry is what is kept of a trouble.
type Entry struct {
	Since time.Time `json:"since,omitzero"` // when it began; zero: it is over
	Seen  time.Time `json:"seen,omitzero"`  // when it was last met, to about seenEvery
	Told  string    `json:"told,omitempty"` // the kind that was told last; empty: none since it began
	Kind  string    `json:"kind,omitempty"` // the kind that was met last
	Cause string    `json:"cause,omitempty"`
	Over  string    `json:"over,omitempty"`
	// Missed are the things that happened since it was told last.
	Missed int `json:"missed,omitempty"`
	// Past says for each kind when it was told, and how often within two days.
	Past map[string]Past `json:"past,omitempty"`
}

// Past is when a kind of trouble was told.
type Past struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// Open reports whether the trouble is there.
func (e *Entry) Open() bool { return !e.Since.IsZero() }

// Book is all that is kept, by key.
type Book map[string]*Entry

// End is the end of a trouble that was told.
type End struct {
	Key string
	Entry
}

// State says how it is with a trouble that a run did not meet.
type State int

// States.
const (
	Lasts State = iota // or nobody knows
	Over
	Gone // over, and not worth a word
)

const (
	firstGap  = time.Hour
	lastGap   = 24 * time.Hour
	forget    = 48 * time.Hour
	seenEvery = 10 * time.Minute
	// maxKeys bounds the value. Trouble beyond it is not told.
	maxKeys = 64
	// maxText is the longest text that is kept, in octets.
	maxText = 300
)

// turn brings the book up to date with what a run met, and with how it is with what it
// did not meet. It returns what is to be told. changed: the book has to be kept.
func (b Book) turn(now time.Time, met []Alert, state func(key string, e *Entry) State) (begun []Alert, ended []End, changed bool) {
	seen := map[string]bool{}
	for _, a := range met {
		if seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		tell, change := b.meet(now, &a)
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
			again, over, change := e.turn(now, key, state(key, e))
			begun, ended, changed = append(begun, again...), append(ended, over...), changed || change
		case e.stale(now):
			delete(b, key)
			changed = true
		}
	}
	return begun, ended, changed
}

// turn is Book.turn for an entry that the run did not meet.
func (e *Entry) turn(now time.Time, key string, how State) (begun []Alert, ended []End, changed bool) {
	if how == Lasts {
		if e.Missed > 0 && e.rested(now) {
			return []Alert{{Key: key, Missed: e.catchUp(now)}}, nil, true
		}
		return nil, nil, false
	}
	if how == Over && e.Told != "" {
		ended = []End{{key, *e}}
	}
	*e = Entry{Past: e.Past}
	return nil, ended, true
}

func (b Book) meet(now time.Time, a *Alert) (tell, changed bool) {
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
		e.Kind, e.Cause, e.Over, changed = a.Kind, short(a.Cause), short(a.Over), true
	}
	if e.Told == a.Kind && a.New > 0 {
		if !e.rested(now) {
			e.Missed += a.New
			return false, true
		}
		a.Missed = e.catchUp(now)
		return true, true
	}
	if e.Told == a.Kind && !a.Again || !e.due(now, a.Kind) {
		return false, changed
	}
	past := e.Past[a.Kind]
	if now.Sub(past.At) >= forget {
		past.N = 0
	}
	if e.Past == nil || len(e.Past) >= maxKeys {
		e.Past = map[string]Past{}
	}
	e.Past[a.Kind] = Past{now, past.N + 1}
	e.Told = a.Kind
	return true, true
}

// rested reports whether what was told last may be told again for more of it.
func (e *Entry) rested(now time.Time) bool {
	age := now.Sub(e.Past[e.Told].At)
	return age >= firstGap || age < 0
}

// catchUp notes that what was missed is told now, and returns how many that are.
func (e *Entry) catchUp(now time.Time) (missed int) {
	past := e.Past[e.Told]
	if e.Past == nil {
		e.Past = map[string]Past{}
	}
	e.Past[e.Told] = Past{now, past.N}
	missed, e.Missed = e.Missed, 0
	return missed
}

// due reports whether a kind may be told again.
func (e *Entry) due(now time.Time, kind string) bool {
	past, told := e.Past[kind]
	age := now.Sub(past.At)
	return !told || age < 0 || age >= gap(past.N)
}

// gap is how long what was told n times is not told again.
func gap(n int) time.Duration {
	d := firstGap
	for ; n > 1 && d < lastGap; n-- {
		d *= 2
	}
	return min(d, lastGap)
}

// stale: what was told of it does not count any more.
func (e *Entry) stale(now time.Time) bool {
	for _, past := range e.Past {
		if now.Sub(past.At) < forget {
			return false
		}
	}
	return true
}

func short(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "..."
	}
	return s
}
