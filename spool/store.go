package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Errors of a store. Others are I/O errors as the system gave them, wrapped.
var (
	// ErrBusy: another process, or another worker of this one, has the message claimed.
	ErrBusy = errors.New("in flight")
	// ErrGone: no such message, or it left the spool meanwhile.
	ErrGone = errors.New("no such message")
	// ErrExists: Commit found a message of that id.
	ErrExists = errors.New("exists already")
	// ErrLeft: Commit found that a message of that id was in the store and has left it.
	ErrLeft error = leftError{}
	// ErrUnsure: the last sync of a Commit failed; the message may be queued.
	ErrUnsure = errors.New("may be queued")
	// ErrNoSpool: the path exists but is not a spool (a file, a foreign file system). Exit 73.
	ErrNoSpool = errors.New("no usable spool")
	// ErrUnusable: a file of the message cannot be opened, read or removed. Only this message
	// is affected. It stays where it is; the text says what repairs it.
	ErrUnusable = errors.New("skipped")
	// ErrDamaged: the message's record cannot be understood; it was moved to aside/.
	ErrDamaged = errors.New("moved to aside/")
)

// leftError is a type, because fmt.Errorf would make each enqueue do its work before main.
type leftError struct{}

func (leftError) Error() string { return ErrExists.Error() + ", or did: it has left" }
func (leftError) Unwrap() error { return ErrExists }

// Entry is what one listing tells about a message without opening it. It is a
// hint: the record rules, and a Claim shows it.
type Entry struct {
	ID   ID
	Next time.Time // next send time; of a failed message: when it failed
	// State is StateQueued for queued and deferred messages alike (one name for both
	// keeps a first attempt free of a rename), else StateHeld or StateFailed.
	State MessageState
	// Expires, of StateQueued, is when --expires is over; zero: it was not given. By it a flush
	// that can send nothing finds what must be returned all the same.
	Expires time.Time
}

// Store keeps messages. All methods are safe for concurrent use, by goroutines
// and by processes. What every store must do is written down as the suite in
// package storetest.
type Store interface {
	// New starts a message of that id. Nothing of it is visible until Commit.
	New(ctx context.Context, id ID) (Draft, error)
	// Commit queues sealed drafts durably, sharing syncs among them, in order: on
	// an error, drafts[:n] are queued and the others are not (but ErrUnsure: the
	// others may be). ErrExists: one of that id is there; that draft is dropped. ErrLeft, of a
	// database: there was one, and it has left. After a
	// failed sync it is not known what is on disk, and a second one may succeed though the first
	// lost data: none of these drafts can be committed any more. Write them anew.
	Commit(ctx context.Context, drafts ...Draft) (n int, err error)

	// Scan calls yield for every message that is queued, deferred or held, in no
	// order, until yield returns false. It opens no message.
	Scan(ctx context.Context, yield func(Entry) bool) error
	// ScanFailed is Scan for failed messages.
	ScanFailed(ctx context.Context, yield func(Entry) bool) error
	// Find looks messages up, failed ones too. The result lacks those that are not there.
	Find(ctx context.Context, ids ...ID) (map[ID]Entry, error)
	// Claim takes a message for the caller alone until the claim ends or the process
	// dies. ErrBusy, ErrGone, ErrDamaged, ErrUnusable.
	Claim(ctx context.Context, e Entry) (Claim, error)
	// Peek reads a message without claiming it; the caller closes the body.
	Peek(ctx context.Context, e Entry) (*Record, PeekedBody, error)

	// Imported returns the import keys of all messages in the store, and of those that left it
	// since. Until release is called no other import gets them: ErrBusy.
	Imported(ctx context.Context, since time.Time) (keys map[ImportKey]struct{}, release func() error, err error)

	// AddImported adds the keys of messages that left another store, durably, as if they had left
	// this one now. It is called before the release of Imported.
	AddImported(ctx context.Context, keys ...ImportKey) error

	// History calls yield for the entries that q chooses, oldest first (CompareHistory), until it
	// returns false. Of several entries of one name the one written last counts. The anomalies
	// are damaged entries that were passed over. What still waits has no entry.
	History(ctx context.Context, q HistoryQuery, yield func(*HistoryEntry) bool) ([]Anomaly, error)
	// AddHistory adds entries durably. Each supersedes an earlier one of its name. A store that
	// keeps no history ignores them. Without entries it tries whether one could be added.
	AddHistory(ctx context.Context, entries ...HistoryEntry) error
	// ForgetHistory drops the entries that were written on days (UTC) that had ended by then.
	ForgetHistory(ctx context.Context, before time.Time) error
	// HistoryError is the first error met in writing entries since the last call; nil: none was
	// met. Mail does not wait for its history.
	HistoryError() error

	// Writable tries each step that an outcome may need: the disk may be full or read-only, a
	// folder may belong to somebody else. The error says what repairs it.
	Writable(ctx context.Context) error
	// Sync makes everything that was to be durable Soon durable now.
	Sync(ctx context.Context) error
	// Repair sets aside what the last Scan could not understand and sweeps what dead
	// writers left. Cheap when there is nothing to do.
	Repair(ctx context.Context) ([]Anomaly, error)
	// Usage is the number of octets that the messages in the store and their records take,
	// failed ones included. The history does not count.
	Usage(ctx context.Context) (int64, error)
	// UsageFailed is that of the failed ones alone.
	UsageFailed(ctx context.Context) (int64, error)
	// State gives the small values kept beside the messages.
	State() State
	// Close syncs, and ends all claims.
	Close() error
}

// FindOne looks one message up. ErrGone.
func FindOne(ctx context.Context, s Store, id ID) (Entry, error) {
	found, err := s.Find(ctx, id)
	e, there := found[id]
	if err == nil && !there {
		err = fmt.Errorf("%s: %w", id, ErrGone)
	}
	return e, err
}

// Body reads a stored message.
type Body interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// PeekedBody is the body of a message that Peek returned. A caller that peeks at all
// messages need not ask for Usage.
type PeekedBody interface {
	Body
	// Stored is the number of octets that the message and its record take, as in Usage.
	Stored() int64
}

// Draft is a message being written. Not for concurrent use.
type Draft interface {
	ID() ID
	io.Writer   // appends to the body
	io.ReaderAt // reads what was written
	Len() int64
	// Seal writes the envelope and closes the body. Commit comes next, or Abort. The events are
	// those of a message that comes from another store: with them it is queued as it was there,
	// held, or among the failed ones.
	Seal(Envelope, ...Event) error
	// Abort drops the draft. Harmless after Commit.
	Abort() error
}

// Durability says when an event must survive a power cut. A killed process never
// loses an appended event.
type Durability int

// Durabilities, by what losing the event would cost.
const (
	Lazy Durability = iota // an early try: no sync of its own
	Soon                   // a duplicate: synced with others within a second, and by Sync
	Now                    // a promise: synced before the call returns
)

// Claim is the sole right to change a message. It is used by one goroutine.
type Claim interface {
	Entry() Entry
	// Record is the message's record, kept current by Begin and Append.
	Record() *Record
	// Body reads the message; it is closed with the claim.
	Body() Body
	// Begin appends a Try and makes sure that there is room on disk for its result
	// even if the disk fills meanwhile. Lazy; the listing is not touched.
	Begin(e Event) error
	// Append appends any other event and lets the listing follow it.
	Append(e Event, d Durability) error
	// Remove takes the message out of the store: delivered, returned or removed. last is what
	// happened to it and is not in the record, a Result; the zero Event: nothing. Its entries
	// (Record.Endings) go to the history first, as durably as the removal; a killed process loses
	// none of them. With Soon the claim is over and the rest happens with others; a crash may
	// bring it back. On an error the claim goes on, so that what became of the message can be
	// appended.
	Remove(last Event, d Durability) error
	// Fail appends a GiveUp and moves the message to the failed ones, durably. Its entries go to
	// the history, durable Soon.
	Fail(e Event) error
	// Revive appends a fresh Retry to a failed message and queues it again, durably.
	Revive(e Event) error
	// Release ends the claim, bringing the listing in line with the record. Harmless
	// after Remove, Fail or Revive, each of which ends the claim too.
	Release() error
}

// FromDrop begins the names in aside/ of what other users of the machine put into the drop.
const FromDrop = "drop-"

// Anomaly is something in the spool that is not ours or is torn.
type Anomaly struct {
	Name  string // as found
	Moved string // where it is now, e.g. "aside/NAME"; empty: swept, it was never accepted or is done with
	Why   string
}
