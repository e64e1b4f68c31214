package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
	"notices/spool/drop"
	"notices/spool/intake"
)

// Exit codes: sysexits(3) and SPEC section 3. All of them are here.
const (
	ExitOK          = 0
	ExitUsage       = 64 // the command line
	ExitBadMessage  = 65 // also: no recipient, over size
	ExitUnknown     = 66 // no such id or file
	ExitUnavailable = 69 // the mail server
	ExitInternal    = 70 // a bug
	ExitCannotMake  = 73 // the spool is no folder
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

// UsageError is a command line that cannot be understood.
func UsageError(command string, err error) error {
	return Fail(ExitUsage, "%w (see %s --help)", err, command)
}

// ExitCode finds the code for an error of any of the packages below.
func ExitCode(err error) int {
	var (
		coded    *Failure
		message  *intake.Error
		problems config.Problems
		problem  *config.Error
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coded):
		return coded.Code
	case errors.As(err, &message):
		return intakeCode(message.Kind)
	case errors.As(err, &problem) && errors.Is(problem.Err, fs.ErrPermission):
		return ExitPermission
	case errors.As(err, &problems), errors.As(err, &problem):
		return ExitConfig
	}
	return StoreCode(err)
}

func intakeCode(k intake.Kind) int {
	switch k {
	case intake.BadUsage:
		return ExitUsage
	case intake.BadConfig:
		return ExitConfig
	}
	return ExitBadMessage
}

// StoreCode is for what a store says, and for the system's own errors.
func StoreCode(err error) int {
	switch {
	case errors.Is(err, spool.ErrUnsure):
		return ExitIO // before the cause inside it: try later would be wrong, it may be queued
	case errors.Is(err, spool.ErrNoSpool), errors.Is(err, unix.ENOTDIR):
		return ExitCannotMake
	case errors.Is(err, drop.ErrRefused):
		return ExitBadMessage
	case errors.Is(err, spool.ErrGone):
		return ExitUnknown
	case errors.Is(err, spool.ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ExitTryLater
	case isNoRoom(err), isAway(err):
		return ExitTryLater
	case errors.Is(err, fs.ErrPermission):
		return ExitPermission
	case isSystem(err), errors.Is(err, spool.ErrDamaged):
		return ExitIO
	}
	return ExitInternal
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

// Explain adds to an error what a person can do about it, where the error does
// not say so itself.
func Explain(err error) string {
	switch text := err.Error(); {
	case errors.Is(err, spool.ErrUnsure):
		return text + ": look with notices list before it is queued again"
	case errors.Is(err, unix.EROFS):
		return behind(text, "mount it writable, then try again", unix.EROFS)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return behind(text, "make room, then try again", unix.ENOSPC, unix.EDQUOT)
	default:
		return text
	}
}

// behind puts advice behind the line that it is for: of several errors joined, each has
// a line of its own.
func behind(text, advice string, causes ...error) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, cause := range causes {
			if strings.Contains(line, cause.Error()) {
				lines[i] += ": " + advice
				return strings.Join(lines, "\n")
			}
		}
	}
	return text + ": " + advice
}
