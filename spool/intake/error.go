package intake

import (
	"errors"
	"fmt"

	"notices/spool/printable"
)

// Kind says whose fault it is.
type Kind int

// Kinds, with the exit code that belongs to each.
const (
	BadMessage Kind = iota // the message: 65
	BadUsage               // an argument: 64
	BadConfig              // the config lacks what is needed: 78
)

// Error is a request that is refused. Nothing was queued.
type Error struct {
	Kind Kind
	Msg  string // for a person
	Err  error  // the cause, or nil
}

func (e *Error) Error() string { return e.Msg }

func (e *Error) Unwrap() error { return e.Err }

func badMessage(format string, args ...any) error {
	return &Error{Kind: BadMessage, Msg: fmt.Sprintf(format, args...)}
}

// ErrTooMany is the cause of an Error: more recipients than a message may have.
var ErrTooMany = errors.New("too many recipients")

func badUsage(format string, args ...any) error {
	return &Error{Kind: BadUsage, Msg: fmt.Sprintf(format, args...)}
}

// noAddress is the error of what needs the site's address if it is not set.
func noAddress(why string) error {
	return &Error{Kind: BadConfig, Msg: "[site] address is not set in the config: " + why}
}

// quote shows text that came from outside, and not all of a long one.
func quote(s string) string { return printable.Quote(s, 100) }
