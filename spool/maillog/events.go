package maillog

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"notices/spool"
)

// ByHand is the reason to give to Held when a person held the message.
const ByHand = "by hand"

// Queued logs that a message was stored.
func (l *Log) Queued(env *spool.Envelope) {
	b := begin(l, All, "queued")
	if b == nil {
		return
	}
	b.text("id", string(env.ID))
	b.text("from", cmp.Or(env.Sender, "<>")) // the null sender, as SMTP writes it
	b.number("recipients", int64(len(env.Recipients)))
	b.number("size", env.Size)
	b.textIf("ref", env.Ref)
	b.textIf("site", env.Site)
	b.time("expires", env.ExpiresAt)
	b.textIf("message_id", env.MessageID)
	end(l)
}

// perLine is how many recipients of one outcome a line names.
const perLine = 50

// Answer logs what attempt number attempt brought for the recipients of an answer, in a line
// for every fifty of them. The event's word is the outcome's class. next is the next send;
// zero: there is no further one.
func (l *Log) Answer(env *spool.Envelope, attempt int, a spool.Answer, next time.Time) {
	class := a.Class
	switch class {
	case spool.Delivered, spool.Deferred, spool.Failed, spool.Uncertain:
	default:
		class = spool.Deferred // an unknown class means deferred
	}
	for to := a.To; ; {
		n := min(len(to), perLine)
		b := begin(l, All, string(class))
		if b == nil {
			return
		}
		b.text("id", string(env.ID))
		b.number("attempt", int64(attempt))
		if n > 0 {
			var names [perLine]string
			for k, i := range to[:n] {
				names[k] = "?"
				if i >= 0 && i < len(env.Recipients) {
					names[k] = env.Recipients[i]
				}
			}
			b.list("to", names[:n])
		}
		b.outcome(&a.Outcome)
		b.time("next", next)
		end(l)
		if to = to[n:]; len(to) == 0 {
			return
		}
	}
}

// Paused logs that a server is not used until then.
func (l *Log) Paused(server string, until time.Time, o spool.Outcome) {
	notify(l, Notice{Event: "paused", What: server, Outcome: o, Why: o.Reply.String()})
	if b := begin(l, Warnings, "paused"); b != nil {
		b.text("server", server)
		b.time("until", until)
		o.Reply.Server = "" // named already
		b.outcome(&o)
		end(l)
	}
}

// Discarded logs that an alias leads to /dev/null, and the message is not queued.
func (l *Log) Discarded(id spool.ID, why string) {
	write(l, All, "discarded", "id", string(id), "why", why)
}

// Buffered logs that the database could not be reached, or did not answer, and that the message
// waits in the folder beside it.
func Buffered(l *Log, id spool.ID, why string) {
	write(l, All, "buffered", "id", string(id), "why", why)
}

// Moved logs that so many messages were moved from that folder into the database.
func Moved(l *Log, n int, from string) {
	write(l, All, "moved", "messages", strconv.Itoa(n), "from", from)
}

// HandedIn logs that a user who may not write the spool had handed the message in. user is
// the name of uid; it may be empty.
func (l *Log) HandedIn(id spool.ID, uid int, user string) {
	write(l, All, "handed-in", "id", string(id), "uid", strconv.Itoa(uid), "user?", user)
}

// Interrupted logs that an attempt, begun at that time, has no result because its process
// was killed. The message may have been sent.
func (l *Log) Interrupted(id spool.ID, attempt int, at time.Time) {
	notify(l, Notice{Event: "interrupted", ID: id, At: at})
	write(l, Warnings, "interrupted", "id", string(id), "attempt", strconv.Itoa(attempt), "at", at.UTC().Format(time.RFC3339))
}

// Returned logs that a report to the sender, about so many recipients, was stored under returnID.
func (l *Log) Returned(id, returnID spool.ID, to string, recipients int) {
	write(l, All, "returned", "id", string(id), "return", string(returnID), "to", to, "recipients", strconv.Itoa(recipients))
}

// Bounced logs that another server returned a message that was delivered to a recipient.
func (l *Log) Bounced(e *spool.HistoryEntry) {
	b := begin(l, All, "bounced")
	if b == nil {
		return
	}
	b.text("id", string(e.ID))
	b.text("to", e.Recipient)
	b.textIf("ref", e.Ref)
	b.time("at", e.EndedAt)
	b.outcome(&e.Last)
	end(l)
}

// GaveUp logs that a message went to failed/.
func (l *Log) GaveUp(id spool.ID, why string) {
	notify(l, Notice{Event: "gave-up", ID: id, Why: why})
	write(l, Warnings, "gave-up", "id", string(id), "why", why)
}

// StepDown logs that a connection is less secure than it could be, as allow_non_secure allows.
func (l *Log) StepDown(server, what string) {
	write(l, All, "step-down", "server", server, "what", what)
}

// Postponed logs that n messages were put off without an attempt.
func (l *Log) Postponed(n int, why string) {
	write(l, All, "postponed", "messages", strconv.Itoa(n), "why", why)
}

// Aside logs that something in the spool was not understood and moved away, or was never
// accepted and deleted. It warns nobody of what another user put into the drop, because
// everybody who may hand in mail could cause that every minute.
func (l *Log) Aside(a spool.Anomaly) {
	event, level := "swept", All
	if a.Moved != "" {
		event = "aside"
	}
	if a.Moved != "" && !strings.HasPrefix(path.Base(a.Moved), spool.FromDrop) {
		level = Warnings
		notify(l, Notice{Event: event, What: a.Name, Moved: a.Moved, Why: a.Why})
	}
	write(l, level, event, "name", a.Name, "moved?", a.Moved, "why", a.Why)
}

// Removed logs that a message was taken out of the spool, and by which user or command.
func (l *Log) Removed(id spool.ID, by string) {
	write(l, All, "removed", "id", string(id), "by", by)
}

// Held logs that a message waits for a person. why is ByHand if a person held it.
func (l *Log) Held(id spool.ID, why string) {
	level := All
	if why != ByHand {
		level = Warnings
		notify(l, Notice{Event: "held", ID: id, Why: why})
	}
	write(l, level, "held", "id", string(id), "why", why)
}

// Released logs that a held message is due again.
func (l *Log) Released(id spool.ID) { write(l, All, "released", "id", string(id)) }

// Retried logs that a person made a message due now.
func (l *Log) Retried(id spool.ID) { write(l, All, "retried", "id", string(id)) }

// Run logs that a flush ended, and what it did, in messages.
func (l *Log) Run(t spool.Tally) {
	write(l, All, "run", "sent", strconv.Itoa(t.Sent), "deferred", strconv.Itoa(t.Deferred),
		"returned", strconv.Itoa(t.Returned), "failed", strconv.Itoa(t.Failed))
}

// MessageTrouble is Trouble with one message. stuck: it lasts until a person repairs it, and
// this is the first run that meets it.
func (l *Log) MessageTrouble(id spool.ID, err error, stuck bool) {
	n := Notice{Event: "trouble", ID: id, Why: err.Error()}
	if stuck {
		n.Event = "stuck"
	}
	notify(l, n)
	write(l, Warnings, "trouble", "what", string(id), "error", err.Error())
}

// Trouble logs anything else that a person should see. err may be nil.
func (l *Log) Trouble(what string, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	notify(l, Notice{Event: "trouble", What: what, Why: why})
	write(l, Warnings, "trouble", "what", what, "error?", why)
}

// TroubleOnce is Trouble, unless the same was logged before.
func TroubleOnce(l *Log, what string, err error) {
	if l == nil {
		return
	}
	if _, again := l.logged.LoadOrStore(fmt.Sprint(what, err), true); !again {
		l.Trouble(what, err)
	}
}
