package main

import (
	"errors"

	"notices/cmd/internal/app"
	"notices/spool/flush"
	"notices/spool/oauth"
	"notices/spool/probe"
)

// coded gives an error of the packages that only this program links its exit code;
// package app knows those of the rest.
func coded(err error) error {
	switch {
	case errors.As(err, new(*app.Failure)):
		return err
	case errors.As(err, new(*probe.Error)):
		return &app.Failure{Code: app.ExitUnavailable, Err: err}
	case errors.As(err, new(*oauth.Error)): // of a sign-in: what stands in [google] is wrong
		return &app.Failure{Code: app.ExitConfig, Err: err}
	case errors.Is(err, flush.ErrSpool):
		return &app.Failure{Code: app.ExitTryLater, Err: err}
	}
	return err
}

// exitCode is the exit code that an error of any package stands for.
func exitCode(err error) int { return app.ExitCode(coded(err)) }
