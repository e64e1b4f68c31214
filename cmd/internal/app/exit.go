package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
	"notices/spool/drop"
	"notices/spool/intake"
)

// Exit codes, from sysexits(3), as notices(1) lists them. All of them are here.
const (
	ExitOK          = 0
	ExitUsage       = 64 // the command line
	ExitBadMessage  = 65 // also: no recipient, over size
	ExitUnknown     = 66 // no such id or file
	ExitUnavailable = 69 // the mail server
	ExitInternal    = 70 // a bug
	ExitCannotMake  = 73 // the path of the spool is not a folder
	ExitIO          = 74
	ExitTryLater    = 75 // disk full, quota, read-only, in flight
	ExitPermission  = 77
	ExitConfig      = 78
)

// Failure is an error with its exit code.
type Failure struct {
	Code int
	Err  error // nil: all has been said
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("exit %d", f.Code)
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// Fail makes an error with an exit code.
func Fail(code int, format string, args ...any) error {
	return &Failure{code, fmt.Errorf(format, args...)}
}

// UsageError is the error of a command line that cannot be understood.
func UsageError(command string, err error) error {
	return Fail(ExitUsage, "%w (see %s --help)", err, command)
}

// ExitCode finds the code for an error of any of the packages below.
func ExitCode(err error) int {
	var (
		coded   *Failure
		message *intake.Error
		problem *config.Error
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coded):
		return coded.Code
	case errors.As(err, &message):
		switch message.Kind {
		case intake.BadUsage:
			return ExitUsage
		case intake.BadConfig:
			return ExitConfig
		}
		return ExitBadMessage
	case errors.As(err, &problem) && errors.Is(problem.Err, fs.ErrPermission):
		return ExitPermission
	case problem != nil, errors.As(err, new(config.Problems)):
		return ExitConfig
	}
	return StoreCode(err)
}

// StoreCode is for errors of a store and of the system.
func StoreCode(err error) int {
	switch {
	case errors.Is(err, spool.ErrUnsure):
		return ExitIO // before the cause inside it: try later would be wrong, it may be queued
	case errors.Is(err, spool.ErrMisconfigured):
		return ExitConfig
	case isAny(err, spool.ErrUnreachable, spool.ErrClaimLost, spool.ErrLockLost):
		return ExitTryLater
	case isAny(err, spool.ErrNoSpool, unix.ENOTDIR):
		return ExitCannotMake
	case errors.Is(err, drop.ErrRefused):
		return ExitBadMessage
	case errors.Is(err, spool.ErrGone):
		return ExitUnknown
	case isAny(err, spool.ErrBusy, context.Canceled, context.DeadlineExceeded),
		// The disk is full or read-only.
		isAny(err, unix.ENOSPC, unix.EDQUOT, unix.EROFS),
		// The file system is away, or the machine is short of a resource.
		isAny(err, fs.ErrNotExist, unix.ESTALE, unix.ENOTCONN, unix.EHOSTDOWN, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN, unix.ENOLCK):
		return ExitTryLater
	case errors.Is(err, fs.ErrPermission):
		return ExitPermission
	case errors.As(err, new(unix.Errno)), errors.As(err, new(*fs.PathError)), errors.Is(err, spool.ErrDamaged):
		return ExitIO
	}
	return ExitInternal
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// Explain adds to an error what a person can do about it, where the error does not say so
// itself. Several errors joined have a line each: the advice goes behind the line it is for.
func Explain(err error) string {
	text := err.Error()
	var cause unix.Errno
	var advice string
	switch {
	case errors.Is(err, spool.ErrUnsure):
		return text + ": look with notices list before it is queued again"
	case errors.Is(err, unix.EROFS):
		cause, advice = unix.EROFS, ": mount it writable, then try again"
	case errors.Is(err, unix.ENOSPC):
		cause, advice = unix.ENOSPC, ": make room, then try again"
	case errors.Is(err, unix.EDQUOT):
		cause, advice = unix.EDQUOT, ": make room, then try again"
	default:
		return text
	}
	lines := strings.Split(text, "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, cause.Error()) })
	if i < 0 {
		i = len(lines) - 1
	}
	lines[i] += advice
	return strings.Join(lines, "\n")
}
