package main

import (
	"errors"

	"notices/cmd/internal/submit"
	"notices/spool/flush"
	"notices/spool/oauth"
	"notices/spool/probe"
)

// The exit codes as package submit lists them.
const (
	exitOK          = submit.ExitOK
	exitUsage       = submit.ExitUsage
	exitBadMessage  = submit.ExitBadMessage
	exitUnknown     = submit.ExitUnknown
	exitUnavailable = submit.ExitUnavailable
	exitInternal    = submit.ExitInternal
	exitCannotMake  = submit.ExitCannotMake
	exitIO          = submit.ExitIO
	exitTryLater    = submit.ExitTryLater
	exitPermission  = submit.ExitPermission
	exitConfig      = submit.ExitConfig
)

// failure is an error with its exit code.
type failure = submit.Failure

// fail makes an error with an exit code.
func fail(code int, format string, args ...any) error { return submit.Fail(code, format, args...) }

// usageError is a command line that cannot be understood.
func usageError(command string, err error) error { return submit.UsageError(command, err) }

// report says what went wrong and returns the exit code for it.
func (a *app) report(err error) int {
	if f := (*failure)(nil); !errors.As(err, &f) || f.Err != nil {
		a.say("%s", submit.Explain(err))
	}
	return exitCode(err)
}

// exitCode finds the code for an error of any of the packages below: those that
// only this program links, then the rest.
func exitCode(err error) int {
	coded := errors.As(err, new(*failure))
	switch {
	case !coded && errors.As(err, new(*probe.Error)):
		return exitUnavailable
	case !coded && errors.As(err, new(*oauth.Error)): // of a sign-in: what stands in [google] is wrong
		return exitConfig
	case !coded && errors.Is(err, flush.ErrSpool):
		return exitTryLater
	}
	return submit.ExitCode(err)
}
