// Package feed holds what continuous delivery is about to attempt: messages that were queued just
// now, and what a listing of the spool found due. The sites whose mail it is are served in turn.
//
// The feed is memory only. A message that comes out of it and is not attempted, for whatever
// reason, stays due in the spool, and the next listing finds it.
package feed

import (
	"context"
	"iter"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/fairqueue"
)

// Task is a message to be attempted.
type Task struct {
	Kind    Kind
	Entry   spool.Entry
	Message spool.Entry // of a Report: its message; the zero Entry if that has left the queue
}

// Kind says what is to be done with a message.
type Kind int

// Kinds of tasks.
const (
	Message Kind = iota
	Report       // a report that was found in the spool
	Made         // a report that this process made just now
	Held         // held, and its --expires may be over
)

// Feed is safe for concurrent use.
type Feed struct {
	queue *fairqueue.Queue[Task]

	mu      sync.Mutex
	waiting map[spool.ID]bool   // in the queue, or added to it later
	sites   map[spool.ID]string // of the messages that the last listing found
}

// New makes an empty feed.
func New() *Feed {
	return &Feed{queue: fairqueue.New[Task](), waiting: map[spool.ID]bool{}, sites: map[spool.ID]string{}}
}

// Queued adds a message of a site that was queued just now. It never waits.
func (f *Feed) Queued(entry spool.Entry, site string) { f.Add(site, Task{Entry: entry}) }

// Add adds a task, unless the feed has one for that message.
func (f *Feed) Add(site string, t Task) {
	if f.reserve(t.Entry.ID) {
		f.queue.Add(site, t)
	}
}

// AddLater is Add after a delay.
func (f *Feed) AddLater(site string, t Task, delay time.Duration) {
	if f.reserve(t.Entry.ID) {
		time.AfterFunc(delay, func() { f.queue.Add(site, t) })
	}
}

// reserve reports whether a message is not in the feed yet.
func (f *Feed) reserve(id spool.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting[id] {
		return false
	}
	f.waiting[id] = true
	return true
}

// Take waits for the next task; false: ctx ended.
func (f *Feed) Take(ctx context.Context) (Task, bool) {
	t, ok := f.queue.Take(ctx)
	if ok {
		f.mu.Lock()
		delete(f.waiting, t.Entry.ID)
		f.mu.Unlock()
	}
	return t, ok
}

// Waiting is how many messages are in the feed and due, and how many sites they are from.
func (f *Feed) Waiting() (messages, sites int) { return f.queue.Len() }

// Keep forgets the sites of all messages that are in none of the lists of a new listing. The others
// are kept, so that a message which a limit keeps due for a day is not read again for each listing.
func (f *Feed) Keep(listed ...iter.Seq[spool.Entry]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.sites
	f.sites = map[spool.ID]string{}
	for _, list := range listed {
		for e := range list {
			if site, ok := known[e.ID]; ok {
				f.sites[e.ID] = site
			}
		}
	}
}

// readAtOnce is how many messages are read at once for their sites.
const readAtOnce = 100

// Sites calls add with each message and the site whose mail it is. It reads the messages for that,
// unless it has done so before. If ctx ends, the rest is left out.
func (f *Feed) Sites(ctx context.Context, s spool.Store, messages iter.Seq[spool.Entry], add func(site string, e spool.Entry)) error {
	unknown := make([]spool.Entry, 0, readAtOnce)
	for e := range messages {
		if site, ok := f.site(e.ID); ok {
			add(site, e)
			continue
		}
		if unknown = append(unknown, e); len(unknown) == readAtOnce {
			if err := f.readAndAdd(ctx, s, unknown, add); err != nil || ctx.Err() != nil {
				return err
			}
			unknown = unknown[:0]
		}
	}
	return f.readAndAdd(ctx, s, unknown, add)
}

func (f *Feed) readAndAdd(ctx context.Context, s spool.Store, unknown []spool.Entry, add func(site string, e spool.Entry)) error {
	if err := f.read(ctx, s, unknown); err != nil || ctx.Err() != nil {
		return err
	}
	for _, e := range unknown {
		site, _ := f.site(e.ID)
		add(site, e)
	}
	return nil
}

// site returns the site of a message, if it is known or need not be, because the message is in
// the feed.
func (f *Feed) site(id spool.ID) (site string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	site, ok = f.sites[id]
	return site, ok || f.waiting[id]
}

// read learns the sites of messages. One that cannot be read has none; claiming it says why.
func (f *Feed) read(ctx context.Context, s spool.Store, entries []spool.Entry) error {
	learn := func(i int, r *spool.Record, body spool.PeekedBody, err error) {
		if err != nil {
			return
		}
		body.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sites[entries[i].ID] = r.Envelope.Site
	}
	if many, ok := s.(spool.ManyPeeker); ok && len(entries) > 0 {
		return many.PeekMany(ctx, entries, learn)
	}
	for i := range entries {
		if ctx.Err() != nil {
			return nil
		}
		r, body, err := s.Peek(ctx, entries[i])
		learn(i, r, body, err)
	}
	return nil
}
