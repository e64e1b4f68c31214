package returns

import (
	"context"
	"errors"
	"strings"

	"notices/spool"
	"notices/spool/records"
)

// maxRounds is how often the history is searched again because messages left the queue meanwhile.
const maxRounds = 3

// decide judges what was added: by the history, and what that does not have by the messages that
// wait. Those are listed before the history is searched: one that leaves in between is then found
// in the history, or missed in the queue, and both are searched once more.
func (m *Matcher) decide(ctx context.Context) (results []Result, anomalies []spool.Anomaly, err error) {
	keys := m.keys()
	for range maxRounds {
		var queued []spool.Entry
		if m.Queue != nil && len(keys) > 0 {
			queued, err = records.ListAll(ctx, m.Queue, func(e spool.Entry) bool { return e.State != spool.StateFailed })
			if err != nil {
				return nil, anomalies, err
			}
		}
		x, found, err := m.search(ctx, keys)
		if anomalies = append(anomalies, found...); err != nil {
			return nil, anomalies, err
		}
		results = results[:0]
		for _, r := range m.waiting {
			results = append(results, x.decide(r))
		}
		left, err := m.lookInQueue(ctx, queued, results)
		if err != nil || left == 0 {
			return results, anomalies, err
		}
	}
	return results, anomalies, nil
}

// keys are what entries may have that the returns are about.
func (m *Matcher) keys() map[string]struct{} {
	keys := map[string]struct{}{}
	for _, r := range m.waiting {
		if r.Kind == Failed {
			r.addKeys(keys)
		}
	}
	return keys
}

func (r *Return) addKeys(keys map[string]struct{}) {
	add := func(key string) {
		if key != "" {
			keys[key] = struct{}{}
		}
	}
	add(string(r.QueueID))
	for _, id := range r.envelopeIDs() {
		add(id)
	}
	for _, id := range r.IDs {
		add(string(id))
	}
	for _, id := range r.MessageIDs {
		add(id)
	}
	for i := range r.Recipients {
		add(strings.ToLower(r.Recipients[i].Final))
		add(strings.ToLower(r.Recipients[i].Original))
	}
}

func (m *Matcher) newIndex() *index {
	return &index{now: m.now(), byID: map[string][]*spool.HistoryEntry{}, byMessageID: map[string][]*spool.HistoryEntry{},
		byEnvelopeID: map[string][]*spool.HistoryEntry{}, byRecipient: map[string][]*spool.HistoryEntry{}}
}

// search reads the entries that the returns may be about.
func (m *Matcher) search(ctx context.Context, keys map[string]struct{}) (*index, []spool.Anomaly, error) {
	x := m.newIndex()
	if len(keys) == 0 {
		return x, nil, nil
	}
	anomalies, err := m.history.History(ctx, spool.HistoryQuery{Keys: keys}, func(e *spool.HistoryEntry) bool {
		x.add(*e)
		return true
	})
	return x, anomalies, err
}

// lookInQueue makes NotOurs InQueue where a message that waits is meant. left is how many
// messages had gone when their turn came.
func (m *Matcher) lookInQueue(ctx context.Context, queued []spool.Entry, results []Result) (left int, err error) {
	keys := map[string]struct{}{}
	for i := range results {
		if results[i].Verdict == NotOurs {
			results[i].Return.addKeys(keys)
		}
	}
	if len(keys) == 0 || len(queued) == 0 {
		return 0, nil
	}
	x, query := m.newIndex(), spool.HistoryQuery{Keys: keys}
	err = records.Each(ctx, m.Queue, queued, func(_ spool.Entry, found records.Message) {
		if errors.Is(found.Err, spool.ErrGone) {
			left++
		}
		if found.Err != nil { // one that is damaged; flush tells of it
			return
		}
		for _, e := range found.Endings(spool.Event{}, m.now()) {
			if query.Chooses(&e) {
				x.add(e)
			}
		}
	})
	for i := range results {
		if results[i].Verdict == NotOurs && len(x.about(results[i].Return)) > 0 {
			results[i].Verdict = InQueue
		}
	}
	return left, err
}
