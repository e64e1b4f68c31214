// Package spool holds the words that every station of a message's life shares:
// its id and envelope, the outcome of an attempt, the events that make up its
// record, and the interfaces of a Store (where messages are kept) and of State
// (small named values beside them). It does no I/O.
//
// A message passes intake -> Store -> flush -> route -> smtpclient, and back to its
// sender through bounce. What happened to it is a list of events, the envelope first;
// Record applies them. A store only has to keep the envelope, the body and the events.
//
// # Words
//
// These words mean the same in all packages:
//
//   - draft: a message being written. It is sealed with its envelope, and becomes a
//     message when it is committed, which happens in one step or not at all.
//   - envelope: what is fixed when a message is queued. Record: the envelope and all
//     events since. Sidecar: the file in which package maildir keeps the record.
//   - claim: the sole right to change a message. It ends with the process that has it.
//   - attempt: an event "try", written before any server is asked, and its "result". A
//     try without a result was interrupted, or is under way.
//   - outcome: class, scope and reply. Uncertain: the message was sent to its end, and
//     no answer came.
//   - pending: a recipient that is neither delivered to nor failed. Relayed: delivered
//     to a server that does not report success, so that we do.
//   - return: the message to the sender about recipients that failed. Report: a return,
//     a warning of a delay, or a notice of success; it is never itself returned.
//   - late return: a return that another server makes of a message that we delivered to it,
//     or to a server before it. The message has bounced then.
//   - history: what became of each message that left the queue, an entry (HistoryEntry) for each
//     recipient, with its ending: delivered, returned, failed, removed or bounced.
//   - give up: stop trying to deliver a message. It is returned; if nobody can get the
//     return, it is moved to failed/, with the event "giveup". Revive: queue it again.
//   - history entry: what became of a message for one recipient, kept after it has left the
//     queue. Ending: what that was, in a word. A later entry for the same recipient of the
//     same message supersedes an earlier one.
//   - late return: a return that another server makes after one of ours delivered the message.
//     By it a history entry becomes "bounced".
//   - aside: the folder for what was not understood. It is for a person to look at.
//   - hand in: how a user who may not write the spool queues mail, by a file in drop/.
//   - import key: what an import that is run again recognizes a message by.
package spool
