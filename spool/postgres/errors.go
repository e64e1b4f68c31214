package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"notices/spool"
	"notices/spool/postgres/refusal"
)

// Codes of PostgreSQL, its manual, appendix A.
const (
	uniqueViolation   = "23505"
	noSuchSchema      = "3F000"
	serialization     = "40001"
	deadlock          = "40P01"
	noSuchTable       = "42P01"
	noStatement       = "26000" // a pooler lost what was prepared
	sameStatement     = "42P05"
	tooManyClients    = "53300"
	lockTimeout       = "55P03"
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
	advice, kind := refusal.KindOf(codeOf(err))
	why := refusal.OneLine(err)
	if r := refusal.Of(err); r != nil {
		advice = cmp.Or(r.Advice, advice)
		if r.Wrong {
			kind = spool.ErrMisconfigured
		}
	}
	if advice != "" {
		return fmt.Errorf("%w: %w; %s", kind, why, advice)
	}
	return fmt.Errorf("%w: %w", kind, why)
}
