package main

import (
	"time"

	"notices/spool"
)

// runner is a machine with a simple queue runner. Once a minute it tries the messages that
// are due, each with a connection of its own.
type runner struct {
	machine
	queue  []waiting
	queued time.Duration
	delay  backoff
	pauses bool // the first connection that fails defers all messages that are due
}

// waiting is a message in the queue.
type waiting struct {
	id  spool.ID
	due time.Duration
}

// backoff returns the delay before the next try of a message of that age.
type backoff func(age time.Duration) time.Duration

func (r *runner) cron() {
	for len(r.queue) > 0 {
		r.pass(r.clock.now.Truncate(time.Minute))
		r.clock.sleep(r.fires())
	}
}

// pass tries what is due. Delays count from its start, so nothing shifts the schedule.
func (r *runner) pass(begin time.Duration) {
	r.random.Shuffle(len(r.queue), func(i, k int) { r.queue[i], r.queue[k] = r.queue[k], r.queue[i] })
	failed := false
	left := r.queue[:0]
	for _, w := range r.queue {
		if w.due <= begin {
			if !(failed && r.pauses) && r.send(w.id) {
				continue
			}
			failed = true
			w.due = begin + r.delay(begin-r.queued)
		}
		left = append(left, w)
	}
	r.queue = left
}

func (r *runner) send(id spool.ID) bool {
	if r.server.admit() != nil {
		return false
	}
	defer r.server.closed()
	r.server.take(id)
	return true
}
