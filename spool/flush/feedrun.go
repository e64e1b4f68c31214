package flush

import (
	"cmp"
	"context"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/feed"
)

// runTime is how long a run takes messages from a feed: as long as the first pause of a server.
const runTime = time.Minute

// feedRun is a run that takes in messages until taking ends, or until it cannot go on.
type feedRun struct {
	engine *engine
	feed   *feed.Feed
	taking context.Context
	stop   func() // ends taking
}

func runFeed(ctx, taking context.Context, o Options, f *feed.Feed) (spool.Tally, error) {
	e := newEngine(ctx, o)
	e.feed = f
	r := feedRun{engine: e, feed: f}
	r.taking, r.stop = context.WithCancel(taking)
	defer r.stop()
	var workers sync.WaitGroup
	for range max(e.Deliverer.Workers(), 1) {
		workers.Go(func() { r.serveAll(ctx) })
	}
	listErr := r.gather()
	if r.taking.Err() != nil {
		listErr = nil // there was no more time
	}
	workers.Wait()
	e.resolveRefusals(ctx)
	tally, err := e.end(ctx, &found{})
	return tally, cmp.Or(err, listErr)
}

// serveAll attempts one message after the other.
func (r feedRun) serveAll(ctx context.Context) {
	for t, ok := r.feed.Take(r.taking); ok; t, ok = r.feed.Take(r.taking) {
		if err := r.engine.stuck.ready(); err != nil {
			r.engine.results.stop(err)
		}
		if !r.engine.stopped(ctx) {
			r.attempt(ctx, t)
		}
		if r.engine.stopped(ctx) {
			r.stop()
		}
	}
}

func (r feedRun) attempt(ctx context.Context, t feed.Task) {
	switch t.Kind {
	case feed.Report:
		r.engine.serveReport(ctx, t.Entry, t.Message)
	case feed.Held:
		r.engine.serveHeld(ctx, t.Entry)
	default:
		r.engine.serve(ctx, t.Entry, t.Kind == feed.Made)
	}
}

// gather lists the spool, and puts into the feed what is due, or will be before the next listing.
func (r feedRun) gather() error {
	ctx := r.taking
	found, err := r.engine.takeAndFind(ctx)
	if err != nil {
		return err
	}
	r.engine.repair(ctx)
	r.feed.Keep(found.messages.all(), found.reports.all(), found.soon.all())
	for e := range found.held.all() {
		r.feed.Add("", feed.Task{Kind: feed.Held, Entry: e})
	}
	now := r.engine.Now()
	err = r.add(&found.messages, func(site string, e spool.Entry) { r.feed.Add(site, feed.Task{Entry: e}) })
	if err == nil {
		err = r.add(&found.soon, func(site string, e spool.Entry) { r.feed.AddLater(site, feed.Task{Entry: e}, e.Next.Sub(now)) })
	}
	if err != nil || found.reports.n == 0 {
		return err
	}
	messages, err := messagesOf(r.engine.work, r.engine.Store, &found.reports)
	if err != nil {
		return err
	}
	return r.add(&found.reports, func(site string, e spool.Entry) {
		r.feed.Add(site, feed.Task{Kind: feed.Report, Entry: e, Message: messages[e.ID]})
	})
}

// add calls to with each entry and its site.
func (r feedRun) add(list *entryList, to func(site string, e spool.Entry)) error {
	return r.feed.Sites(r.taking, r.engine.Store, list.all(), to)
}

// again puts a message that was deferred into the feed, if it is due before the next listing.
func (j *job) again() {
	e := j.engine
	now := e.Now()
	_, isReport := parseReportID(j.id())
	if e.feed != nil && !isReport && !j.rec.Held && j.rec.NextSendAt.Before(now.Add(runTime)) {
		e.feed.AddLater(j.rec.Envelope.Site, feed.Task{Entry: j.rec.Entry()}, j.rec.NextSendAt.Sub(now))
	}
}
