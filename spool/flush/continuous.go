package flush

import (
	"context"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/feed"
)

const (
	// firstTime is how long the first run takes in messages. It is short, because until a run has
	// ended, status has to say that none has ever run.
	firstTime = time.Second
	// endTime is how long the next run waits for the last messages of the one before, so that the
	// servers do not see the connections of both. If they take longer, it begins beside them.
	endTime = 2 * time.Second
	// maxRuns is how many runs there are at once: one, and one that waits for slow servers.
	maxRuns = 2
	// retryTime is how long after a run that could not go on the next one begins.
	retryTime = 10 * time.Second
)

// Continuous delivers mail as it comes in, and what is due, run after run. A run works like one of
// flush, but for a minute it also takes messages from Feed; the first one does so for a second. So a
// server that failed is paused as between two runs of flush, and what a run remembers is never older
// than a minute.
type Continuous struct {
	Feed *feed.Feed
	// Open makes the options of the next run. closeRun is called after the run.
	Open func(ctx context.Context) (o Options, closeRun func(), err error)
	// Ended is called with what each run did, and with its error: of Open, or as that of Run.
	Ended func(spool.Tally, error)

	once  sync.Once
	renew chan struct{}
}

// Renew ends the present run early, so that the next one asks Open anew.
func (c *Continuous) Renew() {
	select {
	case c.renewals() <- struct{}{}:
	default:
	}
}

func (c *Continuous) renewals() chan struct{} {
	c.once.Do(func() { c.renew = make(chan struct{}, 1) })
	return c.renew
}

// Run makes runs until ctx ends, and waits for those under way.
func (c *Continuous) Run(ctx context.Context) {
	var runs sync.WaitGroup
	defer runs.Wait()
	under := make(chan struct{}, maxRuns) // a token for each run under way
	length := firstTime
	for ctx.Err() == nil {
		select {
		case under <- struct{}{}:
		case <-ctx.Done():
			return
		}
		taking, stop := context.WithTimeout(ctx, length)
		length = runTime
		done := make(chan struct{})
		runs.Go(func() {
			c.one(ctx, taking)
			<-under
			close(done)
		})
		c.await(taking, stop, done)
		stop()
	}
}

// await waits until the next run may begin.
func (c *Continuous) await(taking context.Context, stop func(), done <-chan struct{}) {
	select {
	case <-done: // it could not go on
		select {
		case <-time.After(retryTime):
		case <-taking.Done():
		case <-c.renewals():
		}
		return
	case <-taking.Done():
	case <-c.renewals():
		stop()
	}
	select {
	case <-done:
	case <-time.After(endTime):
	}
}

// one makes one run.
func (c *Continuous) one(ctx, taking context.Context) {
	o, closeRun, err := c.Open(ctx)
	var tally spool.Tally
	if err == nil {
		tally, err = runFeed(ctx, taking, o, c.Feed)
		closeRun()
	}
	c.Ended(tally, err)
}
