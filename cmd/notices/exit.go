package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/intake"
	"notices/spool/oauth"
	"notices/spool/probe"
)

// Exit codes: sysexits(3) and SPEC section 3. All of them are here.
const (
	exitOK          = 0
	exitUsage       = 64 // the command line
	exitBadMessage  = 65 // also: no recipient, over size
	exitUnknown     = 66 // no such id or file
	exitUnavailable = 69 // the mail server
	exitInternal    = 70 // a bug
	exitCannotMake  = 73 // the spool is no folder
	exitIO          = 74
	exitTryLater    = 75 // disk full, quota, read-only, in flight
	exitPermission  = 77
	exitConfig      = 78
)

// failure is an error with its exit code.
type failure struct {
	code int
	err  error // nil: all has been said
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// fail makes an error with an exit code.
func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// usageError is a command line that cannot be understood.
func usageError(command string, err error) error {
	return fail(exitUsage, "%w (see %s --help)", err, command)
}

// report says what went wrong and returns the exit code for it.
func (a *app) report(err error) int {
	if f := (*failure)(nil); !errors.As(err, &f) || f.err != nil {
		a.say("%s", explain(err))
	}
	return exitCode(err)
}

// exitCode finds the code for an error of any of the packages below.
func exitCode(err error) int {
	var (
		coded    *failure
		message  *intake.Error
		problems config.Problems
		problem  *config.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &message):
		return intakeCode(message.Kind)
	case errors.As(err, &problem) && errors.Is(problem.Err, fs.ErrPermission):
		return exitPermission
	case errors.As(err, &problems), errors.As(err, &problem):
		return exitConfig
	case errors.As(err, new(*probe.Error)):
		return exitUnavailable
	case errors.As(err, new(*oauth.Error)): // of a sign-in: what stands in [google] is wrong
		return exitConfig
	case errors.Is(err, flush.ErrSpool):
		return exitTryLater
	}
	return storeCode(err)
}

func intakeCode(k intake.Kind) int {
	switch k {
	case intake.BadUsage:
		return exitUsage
	case intake.BadConfig:
		return exitConfig
	}
	return exitBadMessage
}

// storeCode is for what a store says, and for the system's own errors.
func storeCode(err error) int {
	switch {
	case errors.Is(err, spool.ErrUnsure):
		return exitIO // before the cause inside it: try later would be wrong, it may be queued
	case errors.Is(err, spool.ErrNoSpool):
		return exitCannotMake
	case errors.Is(err, spool.ErrGone):
		return exitUnknown
	case errors.Is(err, spool.ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exitTryLater
	case isNoRoom(err), isAway(err):
		return exitTryLater
	case errors.Is(err, fs.ErrPermission):
		return exitPermission
	case isSystem(err), errors.Is(err, spool.ErrDamaged):
		return exitIO
	}
	return exitInternal
}

// isNoRoom: the disk is there and takes nothing more.
func isNoRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EROFS)
}

// isAway: the file system is not there, or the machine is short of something.
func isAway(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESTALE) || errors.Is(err, unix.ENOTCONN) ||
		errors.Is(err, unix.EHOSTDOWN) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOLCK)
}

func isSystem(err error) bool {
	var errno unix.Errno
	return errors.As(err, &errno) || errors.As(err, new(*fs.PathError))
}

// explain adds to an error what a person can do about it, where the error does
// not say so itself.
func explain(err error) string {
	switch text := err.Error(); {
	case errors.Is(err, spool.ErrUnsure):
		return text + ": look with notices list before it is queued again"
	case errors.Is(err, unix.EROFS):
		return text + ": mount it writable, then try again"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return text + ": make room, then try again"
	default:
		return text
	}
}
