package bounce

import (
	"testing"
	"time"

	"notices/spool"
)

// TestExplain: the status and the words of each ending.
func TestExplain(t *testing.T) {
	queued := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	reply := func(code int, enhanced string) spool.Reply {
		return spool.Reply{Code: code, Enhanced: enhanced, Text: "text", At: queued.Add(100 * time.Hour)}
	}
	const noMailbox = "There is no mailbox with that name: the address is misspelled, or no longer in use."
	for _, c := range []struct {
		name           string
		ending         spool.Ending
		last           spool.Outcome
		status, reason string
	}{
		{"delivered", spool.EndedDelivered, spool.Outcome{Class: spool.Delivered, Reply: reply(250, "2.1.5")}, "2.1.5", ""},
		{"delivered, no enhanced status", spool.EndedDelivered, spool.Outcome{Class: spool.Delivered, Reply: reply(250, "")}, "2.0.0", ""},
		{"unknown address", spool.EndedReturned, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(550, "5.1.1")}, "5.1.1", noMailbox},
		{"unknown address, no enhanced status", spool.EndedFailed, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(550, "")}, "5.1.1", noMailbox},
		{"time over", spool.EndedReturned, spool.Outcome{Class: spool.Failed, Reason: spool.ReasonExpired, Reply: reply(451, "4.3.0")}, "4.4.7",
			"It was tried 7 times over 4 days, without success."},
		{"sender", spool.EndedReturned, spool.Outcome{Class: spool.Failed, Reason: spool.ReasonSender, Reply: reply(550, "")}, "5.1.8",
			"The mail servers do not accept mail from the sender address desk@example.org."},
		{"by hand", spool.EndedReturned, spool.Outcome{Class: spool.Failed, Reason: spool.ReasonReturned}, "5.0.0",
			"The person who looks after the mail system took it out of the queue."},
		{"removed", spool.EndedRemoved, spool.Outcome{Class: spool.Deferred, Reply: reply(451, "4.3.0")}, "", "A person removed it from the queue before it was delivered."},
		{"removed, may have arrived", spool.EndedRemoved, spool.Outcome{Class: spool.Uncertain}, "",
			"A person removed it from the queue. A server had received the whole message and had not confirmed that it accepted it. It may have arrived."},
		{"bounced", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(550, "5.1.1")}, "5.1.1", noMailbox},
		{"bounced, full", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(0, "4.2.2")}, "4.2.2", "The mailbox is full."},
		{"bounced, late", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Reply: reply(0, "4.4.7")}, "4.4.7", "Another server kept trying and gave up."},
		{"bounced, words alone", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(0, "")}, "5.0.0",
			"A server accepted it and sent it back later, without a clear reason."},
		{"bounced, Microsoft's directory", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 550, Enhanced: "5.4.1",
			Text: "Recipient address rejected: Access denied."}}, "5.1.1", noMailbox},
		{"the same directly", spool.EndedReturned, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 550, Enhanced: "5.4.1",
			Text: "Recipient address rejected: Access denied."}}, "5.1.1", noMailbox},
		{"bounced, vague status", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 550, Enhanced: "5.3.0",
			Text: "unknown user"}}, "5.1.1", noMailbox},
		{"bounced, no status", spool.EndedBounced, spool.Outcome{Class: spool.Failed, Reply: reply(250, "2.0.0")}, "5.0.0", "A server accepted it and sent it back later, without a clear reason."},
	} {
		e := spool.HistoryEntry{QueuedAt: queued, Sender: "desk@example.org", Attempts: 7, Ending: c.ending, Last: c.last}
		if status, reason := Explain(&e); status != c.status || reason != c.reason {
			t.Errorf("%s: %q, %q; want %q, %q", c.name, status, reason, c.status, c.reason)
		}
	}
}

// TestExplainDelay: the status and the words of what waits.
func TestExplainDelay(t *testing.T) {
	for _, c := range []struct {
		name           string
		last           spool.Outcome
		status, reason string
	}{
		{"never tried", spool.Outcome{}, "", ""},
		{"busy", spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 450}}, "4.2.0", "The mail server asked to try again later."},
		{"full", spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 452, Enhanced: "4.2.2"}}, "4.2.2", "The mailbox is full."},
		{"no connection", spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonConnect}, "4.4.1", "No mail server could accept it so far."},
		{"no answer", spool.Outcome{Class: spool.Uncertain, Scope: spool.ServerScope}, "4.4.2",
			"A server received the whole message and did not confirm that it accepted it. It may have arrived."},
		{"revived", spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Code: 550, Enhanced: "5.1.1"}}, "5.1.1",
			"It had failed, and a person queued it again."},
	} {
		if status, reason := ExplainDelay(c.last); status != c.status || reason != c.reason {
			t.Errorf("%s: %q, %q; want %q, %q", c.name, status, reason, c.status, c.reason)
		}
	}
}
