package maillog

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"notices/spool"
)

// ByHand is the reason to give to Held when a person held the message.
const ByHand = "by hand"

// Queued logs that a message was stored.
func (l *Log) Queued(env *spool.Envelope) {
	if !l.begin(All, "queued") {
		return
	}
	l.text("id", string(env.ID))
	if env.Sender == "" {
		l.text("from", "<>") // the null sender, as SMTP writes it
	} else {
		l.text("from", env.Sender)
	}
	l.number("recipients", int64(len(env.Recipients)))
	l.number("size", env.Size)
	l.textIf("ref", env.Ref)
	l.time("expires", env.ExpiresAt)
	l.textIf("message_id", env.MessageID)
	l.end()
}

// Outcome logs what attempt number attempt brought for a recipient. The event's word is the
// outcome's class. next is the next send; zero: there is no further one.
func (l *Log) Outcome(id spool.ID, attempt int, recipient string, o spool.Outcome, next time.Time) {
	l.outcomeLine(id, attempt, []string{recipient}, &o, next)
}

// perLine is how many recipients of one outcome a line names.
const perLine = 50

// Answer is Outcome for all the recipients of an answer: a line for every fifty of them.
func (l *Log) Answer(env *spool.Envelope, attempt int, a spool.Answer, next time.Time) {
	if len(a.To) == 0 {
		l.outcomeLine(env.ID, attempt, nil, &a.Outcome, next)
	}
	for to := range slices.Chunk(a.To, perLine) {
		names := make([]string, len(to))
		for k, i := range to {
			names[k] = "?"
			if i >= 0 && i < len(env.Recipients) {
				names[k] = env.Recipients[i]
			}
		}
		l.outcomeLine(env.ID, attempt, names, &a.Outcome, next)
	}
}

func (l *Log) outcomeLine(id spool.ID, attempt int, to []string, o *spool.Outcome, next time.Time) {
	class := o.Class
	switch class {
	case spool.Delivered, spool.Deferred, spool.Failed, spool.Uncertain:
	default:
		class = spool.Deferred // an unknown class means deferred
	}
	if !l.begin(All, string(class)) {
		return
	}
	l.text("id", string(id))
	l.number("attempt", int64(attempt))
	if len(to) > 0 {
		l.list("to", to)
	}
	l.outcome(o)
	l.time("next", next)
	l.end()
}

// outcome adds which server said what.
func (l *Log) outcome(o *spool.Outcome) {
	l.textIf("server", o.Reply.Server)
	l.textIf("host", o.Reply.Host)
	if o.Class != spool.Delivered {
		l.textIf("scope", string(o.Scope))
		l.textIf("reason", string(o.Reason))
	}
	r := &o.Reply
	if r.Code == 0 && r.Enhanced == "" {
		l.textIf("reply", r.Text)
		return
	}
	// This is Reply.String, without making that string.
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

// Paused logs that a server is not used until then.
func (l *Log) Paused(server string, until time.Time, o spool.Outcome) {
	l.notice(Notice{Event: "paused", What: server, Outcome: o, Why: o.Reply.String()})
	if l.begin(Warnings, "paused") {
		l.text("server", server)
		l.time("until", until)
		o.Reply.Server = "" // named already
		l.outcome(&o)
		l.end()
	}
}

// Discarded logs that an alias leads to /dev/null, and the message is not queued.
func (l *Log) Discarded(id spool.ID, why string) {
	l.write(All, "discarded", "id", string(id), "why", why)
}

// HandedIn logs that a user who may not write the spool had handed the message in. user is
// the name of uid; it may be empty.
func (l *Log) HandedIn(id spool.ID, uid int, user string) {
	l.write(All, "handed-in", "id", string(id), "uid", strconv.Itoa(uid), "user?", user)
}

// Interrupted logs that an attempt, begun at that time, has no result because its process
// was killed. The message may have been sent.
func (l *Log) Interrupted(id spool.ID, attempt int, at time.Time) {
	l.notice(Notice{Event: "interrupted", ID: id, At: at})
	l.write(Warnings, "interrupted", "id", string(id), "attempt", strconv.Itoa(attempt), "at", at.UTC().Format(time.RFC3339))
}

// Returned logs that a report to the sender, about so many recipients, was stored under returnID.
func (l *Log) Returned(id, returnID spool.ID, to string, recipients int) {
	l.write(All, "returned", "id", string(id), "return", string(returnID), "to", to, "recipients", strconv.Itoa(recipients))
}

// GaveUp logs that a message went to failed/.
func (l *Log) GaveUp(id spool.ID, why string) {
	l.notice(Notice{Event: "gave-up", ID: id, Why: why})
	l.write(Warnings, "gave-up", "id", string(id), "why", why)
}

// StepDown logs that a connection is less secure than it could be, as allow_non_secure allows.
func (l *Log) StepDown(server, what string) {
	l.write(All, "step-down", "server", server, "what", what)
}

// Postponed logs that n messages were put off without an attempt.
func (l *Log) Postponed(n int, why string) {
	l.write(All, "postponed", "messages", strconv.Itoa(n), "why", why)
}

// Aside logs that something in the spool was not understood and moved away, or was never
// accepted and deleted.
func (l *Log) Aside(a spool.Anomaly) {
	if a.Moved == "" {
		l.Foreign(a)
		return
	}
	l.notice(Notice{Event: "aside", What: a.Name, Moved: a.Moved, Why: a.Why})
	l.write(Warnings, "aside", "name", a.Name, "moved", a.Moved, "why", a.Why)
}

// Foreign is Aside for what another user put into the drop. It warns nobody, because
// everybody who may hand in mail could cause it every minute.
func (l *Log) Foreign(a spool.Anomaly) {
	event := "aside"
	if a.Moved == "" {
		event = "swept"
	}
	l.write(All, event, "name", a.Name, "moved?", a.Moved, "why", a.Why)
}

// Removed logs that a message was taken out of the spool, and by whom or what.
func (l *Log) Removed(id spool.ID, by string) {
	l.write(All, "removed", "id", string(id), "by", by)
}

// Held logs that a message waits for a person. why is ByHand if a person held it.
func (l *Log) Held(id spool.ID, why string) {
	level := All
	if why != ByHand {
		level = Warnings
		l.notice(Notice{Event: "held", ID: id, Why: why})
	}
	l.write(level, "held", "id", string(id), "why", why)
}

// Released logs that a held message is due again.
func (l *Log) Released(id spool.ID) { l.write(All, "released", "id", string(id)) }

// Retried logs that a person made a message due now.
func (l *Log) Retried(id spool.ID) { l.write(All, "retried", "id", string(id)) }

// Run logs that a flush ended, and what it did, in messages.
func (l *Log) Run(t spool.Tally) {
	l.write(All, "run", "sent", strconv.Itoa(t.Sent), "deferred", strconv.Itoa(t.Deferred),
		"returned", strconv.Itoa(t.Returned), "failed", strconv.Itoa(t.Failed))
}

// MessageTrouble is Trouble with one message.
func (l *Log) MessageTrouble(id spool.ID, err error) {
	l.notice(Notice{Event: "trouble", ID: id, Why: err.Error()})
	l.write(Warnings, "trouble", "what", string(id), "error", err.Error())
}

// Stuck is MessageTrouble that lasts until a person repairs it. It is logged in the first
// run that meets it.
func (l *Log) Stuck(id spool.ID, err error) {
	l.notice(Notice{Event: "stuck", ID: id, Why: err.Error()})
	l.write(Warnings, "trouble", "what", string(id), "error", err.Error())
}

// Trouble logs anything else that a person should see. err may be nil.
func (l *Log) Trouble(what string, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	l.notice(Notice{Event: "trouble", What: what, Why: why})
	l.write(Warnings, "trouble", "what", what, "error?", why)
}

// TroubleOnce is Trouble, unless the same was logged before.
func (l *Log) TroubleOnce(what string, err error) {
	if l == nil {
		return
	}
	key := fmt.Sprint(what, err)
	l.mu.Lock()
	twice := l.logged[key]
	if l.logged == nil {
		l.logged = map[string]bool{}
	}
	l.logged[key] = true
	l.mu.Unlock()
	if !twice {
		l.Trouble(what, err)
	}
}
