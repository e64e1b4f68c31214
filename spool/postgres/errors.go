package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"notices/spool"
	"notices/spool/postgres/refusal"
)

// Codes of PostgreSQL, its manual, appendix A.
const (
	uniqueViolation   = "23505"
	readOnly          = "25006"
	invalidPassword   = "28P01"
	invalidLogin      = "28000"
	noSuchDatabase    = "3D000"
	noSuchSchema      = "3F000"
	serialization     = "40001"
	deadlock          = "40P01"
	notPermitted      = "42501"
	noSuchTable       = "42P01"
	noSuchFunction    = "42883"
	noStatement       = "26000" // a pooler lost what was prepared
	sameStatement     = "42P05"
	diskFull          = "53100"
	tooManyClients    = "53300"
	lockTimeout       = "55P03"
	queryCanceled     = "57014"
	shutDown          = "57P01"
	crashed           = "57P02"
	cannotConnect     = "57P03"
	protocolViolation = "08P01" // PgBouncer: no such database, and much else
	draftSwept        = "NT001" // ours
	messageLeft       = "NT002"
	lockLost          = "NT003"
)

// codeOf is the code of an error that the server answered with; "" for another error.
func codeOf(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// worthAgain reports whether the same call may work in a moment.
func worthAgain(err error) bool {
	switch code := codeOf(err); code {
	case "":
		return !errors.Is(err, pgx.ErrNoRows) && !errors.Is(err, context.Canceled) && !errors.As(err, new(*noAnswer))
	case noStatement, sameStatement, serialization, deadlock, tooManyClients, lockTimeout, shutDown, crashed, cannotConnect:
		return true
	default:
		return strings.HasPrefix(code, "08") && code != protocolViolation
	}
}

// noAnswer is an error of our own, of what was found in an answer.
type noAnswer struct{ error }

func (e *noAnswer) Unwrap() error { return e.error }

// explain says what kind of error it is, and what can be done about it.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, new(*noAnswer)) {
		return err
	}
	advice, kind := kindOf(codeOf(err))
	why := refusal.OneLine(err)
	if r := refusal.Of(err); r != nil {
		advice = cmp.Or(r.Advice, advice)
	}
	if strings.Contains(err.Error(), "read only connection") { // the driver has no error value for it
		advice = "none of the hosts in [spool] database can be written: a standby has to be promoted"
	}
	if advice != "" {
		return fmt.Errorf("%w: %w; %s", kind, why, advice)
	}
	return fmt.Errorf("%w: %w", kind, why)
}

func kindOf(code string) (advice string, kind error) {
	switch code {
	case invalidPassword, invalidLogin:
		return "check the user in [spool] database and database_password_file, and the server's pg_hba.conf", spool.ErrMisconfigured
	case noSuchDatabase:
		return "check [spool] database, or make it: createdb -O USER NAME", spool.ErrMisconfigured
	case protocolViolation:
		return "check [spool] database", spool.ErrMisconfigured
	case notPermitted:
		return "its owner has to give rights to the user of [spool] database, as notices-machines(7) shows", spool.ErrMisconfigured
	case noSuchSchema, noSuchTable, noSuchFunction:
		return "tables or functions of notices were removed from it: restore it from a backup, as notices-machines(7) shows", spool.ErrMisconfigured
	case diskFull:
		return "", fmt.Errorf("%w: %w", spool.ErrUnreachable, syscall.ENOSPC)
	case readOnly:
		return "it is read-only, a standby perhaps: add target_session_attrs=read-write to [spool] database", spool.ErrUnreachable
	case queryCanceled:
		return "its statement_timeout may be too short", spool.ErrUnreachable
	}
	return "", spool.ErrUnreachable
}
