//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

// server is a private PostgreSQL that syncs as one of a site does, and counts its statements.
type server struct {
	*cluster.Server
	b *bench
}

// withServer starts one beside the folder of the bench, and stops it after work.
func (b *bench) withServer(work func(*server) error) error {
	c, err := cluster.Start(filepath.Dir(b.base)) // the user postgres may not enter b.base
	if err != nil {
		return err
	}
	s := &server{c, b}
	err = s.prepare()
	if err == nil {
		err = work(s)
	}
	return errors.Join(err, c.Stop())
}

func (s *server) prepare() error {
	for _, setting := range []string{"fsync = on", "shared_preload_libraries = 'pg_stat_statements'", "shared_buffers = '256MB'", "max_wal_size = '2GB'"} {
		if _, err := s.SQL("postgres", "alter system set "+setting); err != nil {
			return err
		}
	}
	return errors.Join(s.Halt(), s.Again())
}

// store opens a new database. The caller closes it.
func (s *server) store() (*postgres.Store, string, error) {
	name, err := s.NewDatabase()
	if err != nil {
		return nil, "", err
	}
	if _, err := s.SQL(name, "create extension pg_stat_statements"); err != nil {
		return nil, "", err
	}
	store, err := postgres.Open(context.Background(), postgres.Options{URL: s.URL(name), Host: "bench"})
	return store, name, err
}

// site makes a database, fills it, and gives work a site of it and its name.
func (s *server) site(f filling, work func(*site, string) error, ports ...int) error {
	return s.siteAs(variant{}, f, work, ports...)
}

// variant is a site that differs from others.
type variant struct {
	hosts int
	spool string // a line of [spool]
	sql   string // done in the database
}

func (s *server) siteAs(v variant, f filling, work func(*site, string) error, ports ...int) error {
	store, name, err := s.store()
	if err != nil {
		return err
	}
	if err := errors.Join(fillStore(store, f), store.Close()); err != nil {
		return err
	}
	for _, statement := range []string{v.sql, "vacuum analyze"} {
		if _, err := s.SQL(name, statement); err != nil {
			return err
		}
	}
	return s.b.newSite(fmt.Sprintf("database = %q\n%s", s.URL(name), v.spool), ports, func(site *site) error { return work(site, name) })
}

// number is the answer of a query.
func (s *server) number(database, query string) (float64, error) {
	text, err := s.SQL(database, query)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// statements counts those that clients made since forget.
func (s *server) statements(database string) (float64, error) {
	return s.number(database, `select coalesce(sum(calls), 0) from pg_stat_statements where toplevel and dbid = (select oid from pg_database where datname = current_database())
		and query !~* '^(begin|commit|rollback|deallocate|select pg_stat_statements_reset)'`)
}

func (s *server) forget(database string) error {
	_, err := s.SQL(database, `select pg_stat_statements_reset()`)
	return err
}

// cpu is the processor time of the server in seconds, that of connections which ended too.
func (s *server) cpu() (total float64, err error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	postmaster, _, _ := strings.Cut(string(text), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // proc(5): behind it are the fields from 3 on
		fields := strings.Fields(rest)
		own := filepath.Base(filepath.Dir(name)) == postmaster
		if len(fields) < 15 || !own && fields[1] != postmaster {
			continue
		}
		ended := 13 // without what its children took
		if own {
			ended = 15
		}
		for _, ticks := range fields[11:ended] {
			n, _ := strconv.ParseFloat(ticks, 64)
			total += n / 100 // USER_HZ
		}
	}
	return total, nil
}

// fillStore queues messages, many in a transaction.
func fillStore(store spool.Store, f filling) error {
	var text strings.Builder
	if err := writeMessage(&text, f.size); err != nil {
		return err
	}
	f.size = text.Len()
	var drafts []spool.Draft
	for i := range f.messages {
		env, events := f.record(spool.ID(fmt.Sprintf("1K10%012X", f.first+i)), f.first+i)
		d, err := store.New(context.Background(), env.ID)
		if err == nil {
			_, err = d.Write([]byte(text.String()))
		}
		if err == nil {
			err = d.Seal(env, events...)
		}
		if err != nil {
			return err
		}
		if drafts = append(drafts, d); len(drafts) == 500 || i == f.messages-1 {
			if _, err := store.Commit(context.Background(), drafts...); err != nil {
				return err
			}
			drafts = drafts[:0]
		}
	}
	return nil
}

// databaseHistory: what history does on the folder, beside a queue of 100,000.
func (b *bench) databaseHistory() error {
	return b.withServer(func(s *server) error {
		f := filling{messages: min(100_000, b.max), recipients: 1, size: 500, next: time.Now().Add(time.Hour), tried: true}
		return s.site(f, func(site *site, name string) error {
			n := min(1_000_000, b.max)
			store, err := postgres.Open(context.Background(), postgres.Options{URL: s.URL(name)})
			if err != nil {
				return err
			}
			now := time.Now()
			if err := errors.Join(addHistory(store, n, &now), store.Close()); err != nil {
				return err
			}
			if _, err := s.SQL(name, "vacuum analyze"); err != nil {
				return err
			}
			return site.searches(n)
		}, 1)
	})
}
