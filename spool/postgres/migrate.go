package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"notices/spool"
	"notices/spool/postgres/locks"
)

// migrations has a file for each version of the tables, whose name is its number. What the functions are
// is told by functions.sql alone.
//
//go:embed migrations/*.sql functions.sql
var migrations embed.FS

// migrationLock is the key of the advisory lock, "notices" in ASCII. It ends with its
// transaction, so that it works behind PgBouncer: tern's migrate package holds the
// lock of a session.
const migrationLock int64 = 0x6e6f7469636573

const versionSQL = `select coalesce(max(version), 0) from notices.schema_version`

// migrate makes sure that the tables are those that this program knows. Most often that is
// one short query.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	latest := versionOf(files[len(files)-1])
	version, err := s.version(ctx)
	if code := codeOf(err); code == noSuchSchema || code == noSuchTable {
		err, version = nil, 0
	}
	if err != nil || version == latest {
		return err
	}
	if version > latest {
		return tooNew(version, latest)
	}
	err = s.db.again(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.db.pool, func(tx pgx.Tx) error { return upgrade(ctx, tx, files, latest, s.db.lockLimit) })
	})
	if err == nil {
		_, err = s.version(ctx)
	}
	return err
}

// versionOf is the version that a file of migrations/ leads to; not every number has a file.
func versionOf(file string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(path.Base(file), ".sql")) // a test reads all of them
	return n
}

// version also finds out whether a pooler is in between: it makes up the number of the process
// that it tells.
func (s *Store) version(ctx context.Context) (version int, err error) {
	err = s.db.again(ctx, func(ctx context.Context) error {
		c, err := s.db.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		var direct bool
		pid := locks.PID(c.Conn())
		err = c.QueryRow(ctx, `select (`+versionSQL+`), `+locks.LimitSQL+` is not null`, pid, s.db.lockLimit).Scan(&version, &direct)
		s.db.direct.Store(err == nil && direct)
		return err
	})
	return version, err
}

func tooNew(version, known int) error {
	return &noAnswer{fmt.Errorf("%w: its tables are of version %d and this program knows %d: install the newer version of notices here, too", spool.ErrMisconfigured, version, known)}
}

// waitSQL takes the lock of migrations, for which another host may have to be waited for long. The tables
// are not: while a migration waits for them, nobody else gets at them.
const waitSQL = `select set_config('lock_timeout', '0', true), pg_advisory_xact_lock($1::bigint), set_config('lock_timeout', $2, true)`

// upgrade runs the migrations that are missing, or none of them, and makes the functions anew. A process
// that had to wait for the lock finds that another one has done it.
func upgrade(ctx context.Context, tx pgx.Tx, files []string, latest int, lockLimit string) error {
	if _, err := tx.Exec(ctx, waitSQL, migrationLock, lockLimit); err != nil {
		return err
	}
	var there bool
	var encoding string
	err := tx.QueryRow(ctx, `select to_regclass('notices.schema_version') is not null, getdatabaseencoding()`).Scan(&there, &encoding)
	if err == nil && encoding != "UTF8" {
		err = &noAnswer{fmt.Errorf("%w: its encoding is %s: make one with createdb -E UTF8 -T template0", spool.ErrMisconfigured, encoding)}
	}
	if err != nil {
		return err
	}
	version := 0
	if there {
		err = tx.QueryRow(ctx, versionSQL).Scan(&version)
	} else {
		err = begin(ctx, tx)
	}
	if err != nil || version == latest {
		return err
	}
	if version > latest {
		return tooNew(version, latest)
	}
	for _, file := range files {
		if n := versionOf(file); n > version && err == nil {
			if err = runFile(ctx, tx, file); err == nil {
				_, err = tx.Exec(ctx, `insert into notices.schema_version (version) values ($1::integer)`, n)
			}
		}
	}
	if err == nil {
		err = runFile(ctx, tx, "functions.sql")
	}
	return err
}

// begin makes the schema, unless an administrator has made it.
func begin(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `do $$ begin
		if to_regnamespace('notices') is null then create schema notices; end if;
		create table notices.schema_version (version integer primary key, at timestamptz not null default now());
	end $$`)
	return err
}

func runFile(ctx context.Context, tx pgx.Tx, file string) error {
	text, err := migrations.ReadFile(file)
	if err == nil {
		_, err = tx.Conn().PgConn().Exec(ctx, string(text)).ReadAll()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
