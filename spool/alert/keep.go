package alert

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"notices/spool"
)

// StateName is the name of the state value.
const StateName = "alerts"

// Load reads the entries that states keep. If several have an entry of a problem, the
// latest counts. A state that cannot be read, or is damaged, is taken for empty: at worst
// something is reported twice.
func Load(ctx context.Context, states ...spool.State) Entries {
	entries := Entries{}
	for _, s := range states {
		if value, err := s.Load(ctx, StateName); err == nil {
			entries.merge(parse(value))
		}
	}
	return entries
}

// Update brings the entries up to date, as the package comment says, and returns what is
// to be reported. It keeps them in the first of states that can be written. The others are for
// a spool that cannot be written, or is unknown because the config cannot be read. If no
// state can be written, each run reports everything that it met.
func Update(ctx context.Context, now time.Time, met []Alert, status func(string, *Entry) Status, states ...spool.State) ([]Alert, []Resolution) {
	now = now.UTC().Truncate(time.Second)
	begun, ended, changed := Load(ctx, states...).update(now, met, status)
	if !changed {
		return nil, nil
	}
	for i, s := range states {
		others := Load(ctx, append(states[:i:i], states[i+1:]...)...)
		err := s.Update(ctx, StateName, false, func(old []byte) ([]byte, error) {
			entries := parse(old)
			entries.merge(others)
			begun, ended, _ = entries.update(now, met, status)
			if len(entries) == 0 {
				return nil, nil
			}
			return json.Marshal(entries)
		})
		if err != nil {
			continue
		}
		for _, later := range states[i+1:] {
			// The entries have moved to s. Where there was no value, an update would make a file.
			if value, err := later.Load(ctx, StateName); len(others) > 0 && err == nil && len(value) > 0 {
				_ = later.Update(ctx, StateName, false, func([]byte) ([]byte, error) { return nil, nil })
			}
		}
		break
	}
	return begun, ended
}

func parse(value []byte) Entries {
	entries := Entries{}
	if json.Unmarshal(value, &entries) != nil || entries == nil {
		return Entries{}
	}
	maps.DeleteFunc(entries, func(_ string, e *Entry) bool { return e == nil })
	return entries
}

func (b Entries) merge(other Entries) {
	for key, e := range other {
		if mine := b[key]; mine == nil || mine.Latest().Before(e.Latest()) {
			b[key] = e
		}
	}
}

// Latest is when the problem was last met or reported.
func (e *Entry) Latest() time.Time {
	at := e.Seen
	for _, sent := range e.Sent {
		if sent.At.After(at) {
			at = sent.At
		}
	}
	return at
}
