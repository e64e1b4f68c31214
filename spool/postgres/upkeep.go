package postgres

import (
	"context"
	"fmt"
	"strings"

	"notices/spool"
	"notices/spool/postgres/locks"
)

// Sync makes durable what was committed asynchronously: a synchronous commit, that of a
// renewal, is written behind all that came before it.
func (s *Store) Sync(ctx context.Context) error { return s.session.renew(ctx, true) }

// Repair sweeps what dead writers left.
func (s *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	var swept int
	if err := s.db.row(ctx, `select notices.sweep()`, nil, &swept); err != nil || swept == 0 {
		return nil, err
	}
	return []spool.Anomaly{{Name: fmt.Sprintf("%d drafts", swept), Why: "their writers died before they had queued them"}}, nil
}

// CountAside counts what Claim has set aside. Nothing is handed in here.
func (s *Store) CountAside(ctx context.Context) (n, fromDrop int, err error) {
	err = s.db.row(ctx, `select count(*) from notices.message where state = 'a'`, nil, &n)
	return n, 0, err
}

// Server says which database answers, for a person. The error is spool.ErrUnreachable if another session
// holds a lock for so long that mail would wait for it.
func (s *Store) Server(ctx context.Context) (string, error) {
	var version, name, user string
	err := s.db.row(ctx, `select current_setting('server_version'), current_database(), current_user`, nil, &version, &name, &user)
	if err == nil {
		err = locks.Try(ctx, s.db.pool, s.db.lockLimit)
	}
	return fmt.Sprintf("PostgreSQL %s, database %s, user %s", version, name, user), err
}

const rightsSQL = `select pg_is_in_recovery(), current_user,
	coalesce((select string_agg(t, ', ') from unnest(array['session', 'host', 'message', 'content', 'chunk', 'draft', 'import_key', 'lock', 'value', 'history']) as t
		where not has_table_privilege('notices.' || t, 'select') or not has_table_privilege('notices.' || t, 'insert')
		or not has_table_privilege('notices.' || t, 'update') or not has_table_privilege('notices.' || t, 'delete')), '')`

// Writable writes a sign of life, and asks for the rights that an outcome needs.
func (s *Store) Writable(ctx context.Context) error {
	var standby bool
	var user, missing string
	if err := s.db.row(ctx, rightsSQL, nil, &standby, &user, &missing); err != nil {
		return err
	}
	switch {
	case standby:
		return fmt.Errorf("%w: it is a standby, which is read-only; add target_session_attrs=read-write to [spool] database", spool.ErrUnreachable)
	case missing != "":
		grant := strings.NewReplacer("USER", user).Replace("grant select, insert, update, delete on all tables in schema notices to USER")
		return fmt.Errorf("%w: the user %s may not change these tables of the database: %s; its owner has to run: %s", spool.ErrMisconfigured, user, missing, grant)
	}
	if _, err := s.session.get(ctx); err != nil {
		return err
	}
	return s.session.renew(ctx, true)
}
