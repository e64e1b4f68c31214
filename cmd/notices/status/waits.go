package status

import (
	"fmt"
	"time"

	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/records"
	"notices/spool/route"
)

// wait is how a message waits for a server, and when it is sent next.
type wait struct {
	spool.Waiting
	next time.Time
}

// addWait notes what a message waits for.
func (c *collector) addWait(r *spool.Record) {
	unnamed := c.countWithoutServer(&r.Envelope)
	if w, ok := r.Waiting(); ok {
		w.Answered = w.Answered || unnamed // other mail says nothing about it
		c.waits = append(c.waits, wait{w, records.NextSend(r)})
	} else if r.State() == spool.StateDeferred && len(r.Pending()) > 0 { // else only its return waits
		c.s.WaitingForRecipient++
	}
}

// countWithoutServer counts a message that no server takes because of its sender.
func (c *collector) countWithoutServer(env *spool.Envelope) bool {
	bounce := env.Form == spool.Report || env.Form == spool.PlainReport
	if bounce || env.Sender == "" || len(c.route) == 0 || route.AnyTakes(c.route, env.Sender) {
		return false
	}
	if c.s.withoutServer == nil {
		c.s.withoutServer = map[string]int{}
	}
	c.s.withoutServer[env.Sender]++
	return true
}

// countWaits counts the messages that wait for a server. A message does not wait if all
// servers work and one has taken mail or was found up since: it goes out at its next send,
// unless a server deferred this very message. An attempt that is under way counts when it
// has taken longer than any attempt does.
func (c *collector) countWaits() {
	var took time.Time
	for i := range c.s.Servers {
		v := &c.s.Servers[i]
		if v.unused {
			continue
		}
		if v.failing {
			took = time.Time{}
			break
		}
		for _, at := range []time.Time{v.health.AcceptedAt, v.health.UpAt} {
			if at.After(took) {
				took = at
			}
		}
	}
	for _, w := range c.waits {
		switch {
		case w.Trying && c.s.now.Sub(w.Since) <= WarnAge:
		case w.Answered || !took.After(w.Last):
			c.s.WaitingForServer++
			earliest(&c.s.WaitingForServerSince, w.Since)
		case w.next.After(c.s.now):
			c.s.resumes++
			earliest(&c.s.resumesAt, w.next)
		}
	}
}

// waiting checks the messages that wait for a server.
func (c *verdict) waiting() {
	if c.s.WaitingForServerSince == nil {
		return
	}
	age := c.s.waitingFor()
	text := fmt.Sprintf("%s for a server, the oldest for %s", waits(c.s.WaitingForServer), term.Span(age))
	before := c.Level
	if c.age(age, "%s", text); c.Level == before && age <= min(c.warn, c.critical) {
		c.remark("%s", text)
	}
}

// waits is `1 message waits` or `2 messages wait`.
func waits(n int) string {
	if n == 1 {
		return "1 message waits"
	}
	return printable.Count(n, "message") + " wait"
}

// forLimit is about mail that waits for a limit of the site's own.
func (s *snapshot) forLimit() string {
	return fmt.Sprintf("%s for %s; the next goes out %s", waits(s.limited), s.limitedBy.Limit, s.ago(s.limitedBy.Free))
}

// forNextSend is about mail that waits for its next send only, because the server works again.
func forNextSend(s *snapshot) string {
	at := s.ago(*s.resumesAt)
	if s.resumes == 1 {
		return "1 message that a server deferred goes out " + at + "; to send it now, run: notices flush --all"
	}
	return fmt.Sprintf("%s that a server deferred go out later, the first %s; to send them now, run: notices flush --all", printable.Count(s.resumes, "message"), at)
}
