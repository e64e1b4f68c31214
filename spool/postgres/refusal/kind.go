package refusal

import (
	"fmt"
	"syscall"

	"notices/spool"
)

// Codes of PostgreSQL, its manual, appendix A.
const (
	protocolViolation = "08P01" // PgBouncer: no such database, and much else
	invalidValue      = "22023" // of a parameter
	readOnly          = "25006"
	invalidLogin      = "28000"
	invalidPassword   = "28P01"
	noSuchDatabase    = "3D000"
	noSuchSchema      = "3F000"
	notPermitted      = "42501"
	noSuchParameter   = "42704"
	noSuchFunction    = "42883"
	noSuchTable       = "42P01"
	diskFull          = "53100"
	notNow            = "55P02" // a parameter cannot be set by a client
	queryCanceled     = "57014"
)

// KindOf says what kind of error the server's code stands for, spool.ErrUnreachable or
// spool.ErrMisconfigured, and what can be done about it; the advice may be empty.
func KindOf(code string) (advice string, kind error) {
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
