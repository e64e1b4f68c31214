package maillog

import (
	"fmt"
	"strconv"
	"time"

	"notices/spool"
)

// ByHand is the reason of Held when a person did it, who need not be told.
const ByHand = "by hand"

// Queued: a message was stored.
func (l *Log) Queued(env *spool.Envelope) {
	if !l.begin(All, "queued") {
		return
	}
	l.text("id", string(env.ID))
	l.sender(env.Sender)
	l.number("recipients", int64(len(env.Recipients)))
	l.number("size", env.Size)
	l.textIf("ref", env.Ref)
	l.time("expires", env.ExpiresAt)
	l.textIf("message_id", env.MessageID)
	l.end()
}

// Discarded: an alias leads to /dev/null, and the message is not queued.
func (l *Log) Discarded(id spool.ID, why string) {
	if l.begin(All, "discarded") {
		l.text("id", string(id))
		l.text("why", why)
		l.end()
	}
}

// HandedIn: a user who may not write the spool had handed the message in. user is
// the name that goes with uid; empty: it has none here.
func (l *Log) HandedIn(id spool.ID, uid int, user string) {
	if l.begin(All, "handed-in") {
		l.text("id", string(id))
		l.number("uid", int64(uid))
		l.textIf("user", user)
		l.end()
	}
}

// sender shows the null sender as SMTP does.
func (l *Log) sender(address string) {
	if address == "" {
		address = "<>"
	}
	l.text("from", address)
}

// Outcome: what attempt number attempt brought for a recipient. The event's word is
// the outcome's class. next is the next send, if there is one.
func (l *Log) Outcome(id spool.ID, attempt int, recipient string, o spool.Outcome, next time.Time) {
	if l.beginOutcome(id, attempt, &o) {
		l.text("to", recipient)
		l.endOutcome(&o, next)
	}
}

// perLine is how many recipients of one outcome a line names.
const perLine = 50

// Answer is Outcome for all the recipients that an answer is for: one line, or one
// for each fifty of them.
func (l *Log) Answer(env *spool.Envelope, attempt int, a spool.Answer, next time.Time) {
	for to := a.To; ; {
		n := min(len(to), perLine)
		if !l.beginOutcome(env.ID, attempt, &a.Outcome) {
			return
		}
		if n > 0 {
			l.list("to", n, func(i int) string { return recipient(env, to[i]) })
		}
		l.endOutcome(&a.Outcome, next)
		if to = to[n:]; len(to) == 0 {
			return
		}
	}
}

func recipient(env *spool.Envelope, i int) string {
	if i < 0 || i >= len(env.Recipients) {
		return "?"
	}
	return env.Recipients[i]
}

func (l *Log) beginOutcome(id spool.ID, attempt int, o *spool.Outcome) bool {
	class := o.Class
	switch class {
	case spool.Delivered, spool.Deferred, spool.Failed, spool.Uncertain:
	default:
		class = spool.Deferred // unknown means deferred
	}
	if !l.begin(All, string(class)) {
		return false
	}
	l.text("id", string(id))
	l.number("attempt", int64(attempt))
	return true
}

func (l *Log) endOutcome(o *spool.Outcome, next time.Time) {
	l.outcome(o)
	l.time("next", next)
	l.end()
}

// outcome adds who said what.
func (l *Log) outcome(o *spool.Outcome) {
	l.textIf("server", o.Reply.Server)
	l.textIf("host", o.Reply.Host)
	if o.Class != spool.Delivered {
		l.textIf("scope", string(o.Scope))
		l.textIf("reason", string(o.Reason))
	}
	l.reply(&o.Reply)
}

// reply adds Reply.String, without making that string.
func (l *Log) reply(r *spool.Reply) {
	if r.Code == 0 && r.Enhanced == "" {
		l.textIf("reply", r.Text)
		return
	}
	l.key("reply")
	l.buf = append(l.buf, '"')
	from := len(l.buf)
	if r.Code != 0 {
		l.buf = strconv.AppendInt(l.buf, int64(r.Code), 10)
	}
	for _, part := range [...]string{r.Enhanced, r.Text} {
		if part == "" {
			continue
		}
		if len(l.buf) > from {
			l.buf = append(l.buf, ' ')
		}
		l.escape(part)
	}
	l.buf = append(l.buf, '"')
}

// Interrupted: an attempt, begun at that time, has no result: its process was
// killed. The message may have been sent.
func (l *Log) Interrupted(id spool.ID, attempt int, at time.Time) {
	l.notice(Notice{Event: "interrupted", ID: id, At: at})
	if l.begin(Warnings, "interrupted") {
		l.text("id", string(id))
		l.number("attempt", int64(attempt))
		l.time("at", at)
		l.end()
	}
}

// Returned: a return to sender was stored under returnID, for so many recipients.
func (l *Log) Returned(id, returnID spool.ID, to string, recipients int) {
	if l.begin(All, "returned") {
		l.text("id", string(id))
		l.text("return", string(returnID))
		l.text("to", to)
		l.number("recipients", int64(recipients))
		l.end()
	}
}

// GaveUp: a message went to failed/, and nobody else is told.
func (l *Log) GaveUp(id spool.ID, why string) {
	l.notice(Notice{Event: "gave-up", ID: id, Why: why})
	if l.begin(Warnings, "gave-up") {
		l.text("id", string(id))
		l.text("why", why)
		l.end()
	}
}

// Paused: a server is left alone until then.
func (l *Log) Paused(server string, until time.Time, o spool.Outcome) {
	l.notice(Notice{Event: "paused", What: server, Outcome: o, Why: o.Reply.String()})
	if l.begin(Warnings, "paused") {
		l.text("server", server)
		l.time("until", until)
		o.Reply.Server = "" // it is the one
		l.outcome(&o)
		l.end()
	}
}

// StepDown: a connection is less secure than it could be, as allow_non_secure allows.
func (l *Log) StepDown(server, what string) {
	if l.begin(All, "step-down") {
		l.text("server", server)
		l.text("what", what)
		l.end()
	}
}

// Postponed: n messages were put off without an attempt.
func (l *Log) Postponed(n int, why string) {
	if l.begin(All, "postponed") {
		l.number("messages", int64(n))
		l.text("why", why)
		l.end()
	}
}

// Aside: something in the spool was not understood and moved away, or was never
// accepted and swept.
func (l *Log) Aside(a spool.Anomaly) {
	level, event := Warnings, "aside"
	if a.Moved == "" {
		level, event = All, "swept"
	} else {
		l.notice(Notice{Event: event, What: a.Name, Moved: a.Moved, Why: a.Why})
	}
	if l.begin(level, event) {
		l.text("name", a.Name)
		l.textIf("moved", a.Moved)
		l.text("why", a.Why)
		l.end()
	}
}

// Foreign is Aside of what another user of the machine put into the drop. It is logged, and
// nobody is told of it: whoever may hand in mail could have that done every minute.
func (l *Log) Foreign(a spool.Anomaly) {
	event := "aside"
	if a.Moved == "" {
		event = "swept"
	}
	if l.begin(All, event) {
		l.text("name", a.Name)
		l.textIf("moved", a.Moved)
		l.text("why", a.Why)
		l.end()
	}
}

// Removed: a message was taken out of the spool, by whom or what.
func (l *Log) Removed(id spool.ID, by string) {
	if l.begin(All, "removed") {
		l.text("id", string(id))
		l.text("by", by)
		l.end()
	}
}

// Held: a message waits for a person. why is ByHand when one did it.
func (l *Log) Held(id spool.ID, why string) {
	level := Warnings
	if why == ByHand {
		level = All
	} else {
		l.notice(Notice{Event: "held", ID: id, Why: why})
	}
	if l.begin(level, "held") {
		l.text("id", string(id))
		l.text("why", why)
		l.end()
	}
}

// Released: a held message is due again.
func (l *Log) Released(id spool.ID) { l.only("released", id) }

// Retried: a person made a message due now.
func (l *Log) Retried(id spool.ID) { l.only("retried", id) }

func (l *Log) only(event string, id spool.ID) {
	if l.begin(All, event) {
		l.text("id", string(id))
		l.end()
	}
}

// Run: a flush ended; what it did, counted in messages.
func (l *Log) Run(t spool.Tally) {
	if l.begin(All, "run") {
		l.number("sent", int64(t.Sent))
		l.number("deferred", int64(t.Deferred))
		l.number("returned", int64(t.Returned))
		l.number("failed", int64(t.Failed))
		l.end()
	}
}

// MessageTrouble is Trouble with one message.
func (l *Log) MessageTrouble(id spool.ID, err error) {
	l.notice(Notice{Event: "trouble", ID: id, Why: err.Error()})
	l.trouble(string(id), err)
}

// Stuck is MessageTrouble that lasts until a person mends it, and was not met in the run
// before.
func (l *Log) Stuck(id spool.ID, err error) {
	l.notice(Notice{Event: "stuck", ID: id, Why: err.Error()})
	l.trouble(string(id), err)
}

// Trouble: something else went wrong that a person should see.
func (l *Log) Trouble(what string, err error) {
	n := Notice{Event: "trouble", What: what}
	if err != nil {
		n.Why = err.Error()
	}
	l.notice(n)
	l.trouble(what, err)
}

// TroubleOnce is Trouble, unless the same was said before.
func (l *Log) TroubleOnce(what string, err error) {
	if l == nil {
		return
	}
	key := fmt.Sprint(what, err)
	l.mu.Lock()
	twice := l.said[key]
	if l.said == nil {
		l.said = map[string]bool{}
	}
	l.said[key] = true
	l.mu.Unlock()
	if !twice {
		l.Trouble(what, err)
	}
}

func (l *Log) trouble(what string, err error) {
	if l.begin(Warnings, "trouble") {
		l.text("what", what)
		if err != nil {
			l.text("error", err.Error())
		}
		l.end()
	}
}
