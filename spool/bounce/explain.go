package bounce

import "notices/spool"

// Explain says what an entry of the history means: its status code (RFC 3463), and the reason
// in plain words, those of a return. Of what was delivered there is no reason to give, and of
// what a person removed there is no status.
func Explain(e *spool.HistoryEntry) (status, reason string) {
	switch e.Ending {
	case spool.EndedDelivered:
		return statusOf("2.", e.Last), ""
	case spool.EndedRemoved:
		if e.Last.Class == spool.Uncertain {
			return "", "A person removed it from the queue. A server had received the whole message and had not confirmed that it accepted it. It may have arrived."
		}
		return "", "A person removed it from the queue before it was delivered."
	case spool.EndedBounced:
		return explainBounced(e.Last)
	}
	reason, _ = explainFailure(e.Last, summary{e.Sender, e.Attempts, e.QueuedAt})
	return statusOf("5.", e.Last), reason
}

// explainBounced is about a return that another server made. That server's code stands as it
// is where it says something: a 4.4.7 says that its time was over, a 4.2.2 that the mailbox was
// still full then.
func explainBounced(o spool.Outcome) (status, reason string) {
	status = o.Reply.Enhanced
	if detail := enhancedDetail(status); detail == "" || status[0] != '4' {
		status = statusOf("5.", o)
	}
	if status[2:] == "4.7" {
		return status, "Another server kept trying and gave up."
	}
	if reason, _ = explainStatus("5." + status[2:]); reason == "" {
		reason = "A server accepted it and sent it back later, without a clear reason."
	}
	return status, reason
}

// ExplainDelay is Explain for the last outcome of a recipient that still waits. A recipient
// that was not tried yet has neither.
func ExplainDelay(o spool.Outcome) (status, reason string) {
	if o.Class == "" {
		return "", ""
	}
	status = statusOf("4.", o)
	switch {
	case o.Class == spool.Failed:
		return statusOf("5.", o), "It had failed, and a person queued it again."
	case o.Class == spool.Uncertain:
		return status, "A server received the whole message and did not confirm that it accepted it. It may have arrived."
	case o.Scope == spool.ServerScope:
		return status, "No mail server could accept it so far."
	case status == "4.2.2":
		reason, _ = explainStatus("5.2.2")
		return status, reason
	}
	return status, "The mail server asked to try again later."
}
