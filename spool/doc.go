// Package spool holds the words that every station of a message's life shares:
// its id and envelope, the outcome of an attempt, the events that make up its
// record, and the interfaces of a Store (where messages are kept) and of State
// (small named values beside them). It does no I/O.
//
// A message passes intake -> Store -> flush -> delivery -> smtpclient, and back to
// its sender through bounce. What happened to it is a list of events, the
// envelope first; Record folds them. A store only has to keep the envelope, the
// body and the events.
package spool
