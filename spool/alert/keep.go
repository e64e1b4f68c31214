package alert

import (
	"context"
	"encoding/json"
	"time"

	"notices/spool"
)

// Name is the state value.
const StateName = "alerts"

// Load reads what places keep. Where several know of a trouble, the latest word counts.
// A place that cannot be read, or is damaged, knows nothing: what is lost by that is
// that something is told twice.
func Load(ctx context.Context, places ...spool.State) Entries {
	book := Entries{}
	for _, p := range places {
		value, err := p.Load(ctx, StateName)
		if err == nil {
			book.merge(parse(value))
		}
	}
	return book
}

// Change brings what is kept up to date, see the package comment, and returns what is to
// be told. The value is kept in the first of places that takes it; the others are for
// when the spool cannot be written, or is not known because the config cannot be read.
// Where no place takes it, all that was met is told in each run.
func Update(ctx context.Context, now time.Time, met []Alert, state func(string, *Entry) Status, places ...spool.State) ([]Alert, []Resolution) {
	now = now.UTC().Truncate(time.Second)
	book := Load(ctx, places...)
	begun, ended, changed := book.update(now, met, state)
	if !changed {
		return nil, nil
	}
	for i, p := range places {
		others := Load(ctx, append(places[:i:i], places[i+1:]...)...)
		err := p.Update(ctx, StateName, false, func(old []byte) ([]byte, error) {
			book := parse(old)
			book.merge(others)
			begun, ended, _ = book.update(now, met, state)
			if len(book) == 0 {
				return nil, nil
			}
			return json.Marshal(book)
		})
		if err != nil {
			continue
		}
		if len(others) > 0 {
			for _, spare := range places[i+1:] {
				if value, err := spare.Load(ctx, StateName); err != nil || len(value) == 0 {
					continue // an update would make the file
				}
				_ = spare.Update(ctx, StateName, false, func([]byte) ([]byte, error) { return nil, nil })
			}
		}
		return begun, ended
	}
	return begun, ended
}

func parse(value []byte) Entries {
	book := Entries{}
	if json.Unmarshal(value, &book) != nil || book == nil {
		return Entries{}
	}
	for key, e := range book {
		if e == nil {
			delete(book, key)
		}
	}
	return book
}

func (b Entries) merge(other Entries) {
	for key, e := range other {
		if mine := b[key]; mine == nil || mine.latest().Before(e.latest()) {
			b[key] = e
		}
	}
}

// latest is when something was last known of it.
func (e *Entry) latest() time.Time {
	at := e.Seen
	for _, past := range e.Sent {
		if past.At.After(at) {
			at = past.At
		}
	}
	return at
}
