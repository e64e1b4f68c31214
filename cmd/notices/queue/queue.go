// Package queue is what the commands on the queue do: they list its messages, show
// one, and hold, release, retry, return and remove them. A command of cobra reads the
// options and calls a method of Queue.
package queue

import (
	"cmp"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// Queue is what the commands on the queue work with.
type Queue struct {
	Program *app.Program
	Store   spool.Store
	Policy  schedule.Policy
	Site    bounce.Site
	Log     *maillog.Log
	HandIn  flush.HandIn        // takes over what other users handed in; nil: there is nothing to take over
	Random  func(n int64) int64 // uniform in [0, n)
	// NoHistory: keep_history in [spool] is "0".
	NoHistory bool
}

// ByNextSend orders entries as they go out: by the next send, then those held, then those
// failed, each oldest first. Ids sort by time.
func ByNextSend(a, b spool.Entry) int {
	when := 0
	if a.State == spool.StateQueued && b.State == spool.StateQueued {
		when = a.Next.Compare(b.Next)
	}
	return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), when, cmp.Compare(a.ID, b.ID))
}

func rank(s spool.MessageState) int {
	switch s {
	case spool.StateHeld:
		return 1
	case spool.StateFailed:
		return 2
	}
	return 0
}
