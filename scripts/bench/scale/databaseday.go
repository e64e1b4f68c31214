//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/postgres"
	"notices/spool/schedule"
)

// taker takes every message at once, so that the tables are all that works.
type taker struct{}

func (taker) Workers() int { return 20 }

func (taker) Group(string, []string) string { return "" }

func (taker) Deliver(_ context.Context, m *spool.Message) (spool.Delivery, error) {
	if err := m.Begin(); err != nil {
		return spool.Delivery{}, err
	}
	_, err := io.Copy(io.Discard, io.NewSectionReader(m.Body, 0, m.Size))
	reply := spool.Reply{Server: "1", Host: "smtp.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued as 4F2A1BC0D3", At: time.Now()}
	return spool.Delivery{Outcomes: []spool.Outcome{{Class: spool.Delivered, Reply: reply}}}, err
}

// databaseDay: a day's messages go through the tables, as fast as that goes: queued and delivered
// in twenty parts, with their history. A line a part shows what the tables take. autovacuum wakes
// up each second in place of each minute, because the day is over in minutes. The figures
// of notices-machines(7) are from here.
func (b *bench) databaseDay() error {
	return b.withServer(func(s *server) error {
		if _, err := s.SQL("postgres", "alter system set autovacuum_naptime = '1s'"); err != nil {
			return err
		}
		if err := errors.Join(s.Halt(), s.Again()); err != nil {
			return err
		}
		store, name, err := s.store()
		if err != nil {
			return err
		}
		return errors.Join(s.day(store, name), store.Close())
	})
}

func (s *server) day(store *postgres.Store, name string) error {
	const parts = 20
	n := min(1_000_000, s.b.max) / parts
	log, err := s.number(name, `select pg_current_wal_lsn() - '0/0'`)
	if err != nil {
		return err
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	fmt.Fprintln(s.b.out, "# messages\tseconds\tMB of message\tcontent\thistory\tdead rows of message")
	for part := range parts {
		f := filling{messages: n, recipients: 1, size: 4000, next: time.Now().Add(-time.Minute), first: part * n}
		if err := fillStore(store, f); err != nil {
			return err
		}
		tally, err := flush.Run(context.Background(), flush.Options{Store: store, Deliverer: taker{}, KeepHistory: 90 * 24 * time.Hour, Policy: schedule.Policy{GiveUp: 100 * time.Hour}})
		if err != nil || tally.Sent != n {
			return fmt.Errorf("sent %d of %d: %w", tally.Sent, n, err)
		}
		line, err := s.SQL(name, `select string_agg(to_char(pg_total_relation_size('notices.'||t) / 1e6, 'FM999990.0'), E'\t') from unnest(array['message', 'content', 'history']) as t
			union all select n_dead_tup::text from pg_stat_user_tables where relid = 'notices.message'::regclass`)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.b.out, "# %d\t%.0f\t%s\n", (part+1)*n, time.Since(began).Seconds(), strings.ReplaceAll(line, "\n", "\t"))
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	end, err := s.number(name, `select pg_current_wal_lsn() - '0/0'`)
	if err != nil {
		return err
	}
	total := float64(parts * n)
	fmt.Fprintf(s.b.out, "# a message: %.2f ms of CPU in the server, %.1f kB of WAL; %.0f messages a second\n",
		(after-before)*1000/total, (end-log)/1000/total, total/time.Since(began).Seconds())
	tables, err := s.SQL(name, `select '# ' || relname || ': ' || n_tup_ins || ' inserted, ' || n_tup_upd || ' updated, of these ' || n_tup_hot_upd || ' in place, ' || n_tup_del || ' deleted, vacuumed '
		|| autovacuum_count || ' times' from pg_stat_user_tables where schemaname = 'notices' and n_tup_ins > 100 order by relname`)
	fmt.Fprintln(s.b.out, tables)
	return err
}
