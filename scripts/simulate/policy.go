package main

import (
	"time"

	"notices/spool"
	"notices/spool/schedule"
)

// policy is what a machine does with its mail.
type policy struct {
	name   string
	splay  time.Duration // of the program
	delay  backoff       // nil: the program; else a simple queue runner
	pauses bool          // of that one
}

// ours is the default schedule of notices.toml.
var ours = schedule.Policy{
	ShortRange: 3 * time.Hour,
	ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
	LongDelay:  [2]time.Duration{60 * time.Minute, 90 * time.Minute},
	GiveUp:     100 * time.Hour,
}

// fixed always waits for the same time.
func fixed(time.Duration) time.Duration { return 15 * time.Minute }

// exponential waits as long as the message is old, within bounds, so the delay doubles with
// each try. Postfix does so with these bounds (postconf(5): minimal_backoff_time,
// maximal_backoff_time).
func exponential(age time.Duration) time.Duration {
	return min(max(age, 300*time.Second), 4000*time.Second)
}

// policies are compared. The first four are in the picture.
func policies() []policy {
	return []policy{
		{name: "notices flush --splay 30s", splay: 30 * time.Second}, // as in scripts/notices.cron
		{name: "notices flush"},
		{name: "every 15 minutes", delay: fixed},
		{name: "exponential, 5 to 67 minutes", delay: exponential},
		{name: "every 15 minutes, with pauses", delay: fixed, pauses: true},
		{name: "exponential, with pauses", delay: exponential, pauses: true},
	}
}

// cron runs a machine whose messages are queued at the given time.
func (p policy) cron(m machine, ids []spool.ID, queued time.Duration) (live func(), failure func() error) {
	if p.delay == nil {
		mail := newStore(ids, epoch.Add(queued))
		left := func() bool { return len(mail.byID) > 0 }
		s := &site{machine: m, store: mail, left: left, retry: ours, splay: p.splay}
		return s.cron, func() error { return s.err }
	}
	r := &runner{machine: m, delay: p.delay, pauses: p.pauses, queued: queued}
	for _, id := range ids {
		r.queue = append(r.queue, waiting{id: id, due: queued})
	}
	return r.cron, func() error { return nil }
}
