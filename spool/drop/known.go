package drop

import (
	"context"
	"hash/fnv"
	"io"
	"time"

	"notices/spool"
)

// known is what the store has of the messages whose ids the names in the drop are. Ids are no
// secret: they are in each mail. A file under the id of a message that has left the queue
// would take that message's place in the history.
type known struct {
	stored map[spool.ID]spool.Entry  // in the queue, or in failed/
	ended  map[spool.ID]*fingerprint // in the history
}

// clockSlack is how far the clock may have been set back between an id and the end of its
// message.
const clockSlack = 48 * time.Hour

// lookUp asks the store for all names at once. The queue comes first: what leaves it meanwhile
// is in the history by then. If the history cannot be read, mail does not wait for it.
func (c *Collector) lookUp(ctx context.Context, now time.Time, names []string) (k known, err error) {
	q := spool.HistoryQuery{Keys: map[string]struct{}{}, Since: now}
	var ids []spool.ID
	for _, name := range names {
		id := spool.ID(name)
		if !isNewID(id) {
			continue
		}
		ids = append(ids, id)
		q.Keys[name] = struct{}{}
		if made := id.MadeAt(); made.Before(q.Since) {
			q.Since = made // nothing ends before it is queued
		} else if made.After(now.Add(clockSlack)) {
			q.Since = time.Time{}.Add(clockSlack) // the clock was wrong then, or it is forged
		}
	}
	if len(ids) == 0 {
		return k, nil
	}
	q.Since = q.Since.Add(-clockSlack)
	if k.stored, err = c.Store.Find(ctx, ids...); err != nil {
		return k, err
	}
	k.ended = map[spool.ID]*fingerprint{}
	_, err = c.Store.History(ctx, q, func(e *spool.HistoryEntry) bool {
		if _, asked := q.Keys[string(e.ID)]; asked {
			if k.ended[e.ID] == nil {
				k.ended[e.ID] = newFingerprint(e.MessageID, e.Ref, e.QueuedAt)
			}
			k.ended[e.ID].add(e.Recipient)
		}
		return ctx.Err() == nil
	})
	if err != nil && ctx.Err() == nil {
		c.Log.Trouble("the history, where the ids of what was handed in are looked up", err)
		err = nil
	}
	return k, err
}

// fingerprint is what tells messages with one id apart: a hash, since a message may have very
// many recipients. It is of what same compares, and of when the message was queued. Whoever
// makes another file of the same hash only has that file removed.
type fingerprint [16]byte

func newFingerprint(messageID, ref string, queuedAt time.Time) *fingerprint {
	f := new(fingerprint)
	f.add(messageID)
	f.add(ref)
	f.add(queuedAt.UTC().Format(time.RFC3339))
	return f
}

func (f *fingerprint) add(text string) {
	h := fnv.New128a()
	h.Write(f[:])
	_, _ = io.WriteString(h, text) // a hash never fails
	h.Sum(f[:0])
}

func (m *message) fingerprint() fingerprint {
	f := newFingerprint(m.env.MessageID, m.env.Ref, m.env.QueuedAt)
	for _, address := range m.env.Recipients {
		f.add(address)
	}
	return *f
}

// has deals with a file whose id the store has, or had: it is not collected.
func (k *known) has(ctx context.Context, r *run, m *message) (bool, error) {
	if _, stored := k.stored[m.env.ID]; stored {
		return true, r.alreadyStored(ctx, m)
	}
	ended := k.ended[m.env.ID]
	switch {
	case ended == nil:
		return false, nil
	case *ended == m.fingerprint(): // a restore of old files brought it back
		return true, unlink(r.fs, string(m.env.ID))
	}
	r.cleaner.refuse(string(m.env.ID), m.uid, "another message had its id, and has left the queue")
	return true, nil
}
