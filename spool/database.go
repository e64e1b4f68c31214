package spool

import (
	"context"
	"errors"
	"time"
)

// DueScanner is a Store that can find what is due without a listing of all.
type DueScanner interface {
	// ScanDue is Scan for what is not due after now, and for what is not due until after latest:
	// a clock was wrong when that was set, or is wrong now.
	ScanDue(ctx context.Context, now, latest time.Time, yield func(Entry) bool) error
}

// AheadClaimer is a Store that can claim many messages at once.
type AheadClaimer interface {
	// ClaimAhead says that Claim will be called with these entries soon. The store may claim them
	// now. Without entries it lets go of those for which Claim was not called. Errors are those
	// of Claim.
	ClaimAhead(ctx context.Context, entries ...Entry)
}

// ManyPeeker is a Store that can read many messages at once.
type ManyPeeker interface {
	// PeekMany is Peek for each of the entries, no two of one message. visit gets the results, in
	// no order. If one comes again, the last time counts.
	PeekMany(ctx context.Context, entries []Entry, visit func(i int, r *Record, b PeekedBody, err error)) error
}

// Searcher is a Store that can find what a query is about without reading all records.
type Searcher interface {
	// Candidates lists all messages, failed ones too, that may have an entry which q.ChoosesMessage
	// chooses, and perhaps others. It does not look at q.Keys.
	Candidates(ctx context.Context, q HistoryQuery) ([]Entry, error)
}

// Selector is a Store that can tell of many messages which a query may choose, without reading their
// records.
type Selector interface {
	// Select returns of entries those that are to be read: that may have an entry which q.ChoosesMessage
	// chooses, and perhaps others. It does not look at q.Keys. If ended is set, q is only about recipients
	// that do not wait any more, and those of which all recipients wait are returned apart.
	Select(ctx context.Context, q HistoryQuery, ended bool, entries []Entry) (read []Entry, waiting []ID, err error)
}

// Errors of a store that is a database.
var (
	// ErrUnreachable: the database does not answer, cannot be written, or takes no more
	// connections. Trying again later may help. Exit 75.
	ErrUnreachable = errors.New("the database cannot be used now")
	// ErrMisconfigured: the database refuses the address, the name or the password, rights or
	// tables are missing, or the tables are those of a newer version. Exit 78.
	ErrMisconfigured = errors.New("the database cannot be used as it is set up")
	// ErrClaimLost: the claim had ended when it was to write. This host stood still, or was
	// cut off, for longer than a claim lasts without a sign of life. Nothing was written.
	ErrClaimLost = errors.New("the claim on the message was lost")
	// ErrLockLost is ErrClaimLost for an import: another one has had the lock of imports since, and
	// may have queued the same. Nothing was queued by this Commit. Exit 75.
	ErrLockLost = errors.New("the import was overtaken by another one")
)
