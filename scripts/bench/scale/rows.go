//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// row is one case of the bench.
type row struct {
	name string
	run  func(*bench) error
}

// rows runs the given rows, or all that need no database.
func (b *bench) rows(wanted []string) error {
	all := []row{
		{"idle", (*bench).idle}, {"due", (*bench).due}, {"dead", (*bench).dead}, {"hole", (*bench).hole},
		{"outage", (*bench).outage}, {"serve", (*bench).serve},
		{"large", (*bench).large}, {"recipients", (*bench).recipients}, {"bulk", (*bench).bulk}, {"history", (*bench).history},
		{"database-history", (*bench).databaseHistory}, {"database-idle", (*bench).databaseIdle}, {"database-large", (*bench).databaseLarge},
		{"database-flush", (*bench).databaseFlush}, {"database-hosts", (*bench).databaseHosts}, {"database-enqueue", (*bench).databaseEnqueue}, {"database-day", (*bench).databaseDay},
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("no row %q", name)
		}
	}
	b.head()
	for _, r := range all {
		if len(wanted) > 0 && !slices.Contains(wanted, r.name) || len(wanted) == 0 && strings.HasPrefix(r.name, "database") {
			continue
		}
		if err := r.run(b); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// idle: nothing is due; beside it, reading only the names.
func (b *bench) idle() error {
	server, err := newSink()
	if err != nil {
		return err
	}
	defer server.Close()
	for _, n := range b.upTo(10_000, 100_000, 1_000_000) {
		err := b.site(filling{messages: n, recipients: 1, next: time.Now().Add(10 * time.Minute), hollow: true}, func(s *site) error {
			// The second time the folder is in the page cache.
			for range 2 {
				if err := s.names("idle: names", n); err != nil {
					return err
				}
			}
			for range 2 {
				if _, err := s.notices("idle: flush", n, "flush"); err != nil {
					return err
				}
			}
			return nil
		}, portOf(server))
		if err != nil {
			return err
		}
	}
	return nil
}

// due: all messages are due; it shows when the first one is sent.
func (b *bench) due() error {
	for _, n := range b.upTo(10_000, 100_000) {
		server, err := newSink()
		if err != nil {
			return err
		}
		err = b.site(filling{messages: n, recipients: 1, size: 500, next: time.Now().Add(-time.Minute)}, func(s *site) error {
			return s.flush("due: flush", n, server)
		}, portOf(server))
		server.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// dead: Server 1 refuses connections, Server 2 works.
func (b *bench) dead() error {
	port, err := closedPort()
	if err != nil {
		return err
	}
	return b.failover("dead Server 1: flush", port)
}

// hole: Server 1 accepts connections and sends nothing.
func (b *bench) hole() error {
	l, err := blackHole()
	if err != nil {
		return err
	}
	defer l.Close()
	return b.failover("silent Server 1: flush", portOf(l))
}

// outage: no server accepts mail, and each message gets a new next send.
func (b *bench) outage() error {
	port, err := closedPort()
	if err != nil {
		return err
	}
	for _, n := range b.upTo(10_000, 100_000) {
		err := b.site(filling{messages: n, recipients: 1, size: 500, next: time.Now().Add(-time.Minute)}, func(s *site) error {
			_, err := s.notices("no server: flush", n, "flush")
			return err
		}, port)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) failover(name string, first int) error {
	for _, n := range b.upTo(1_000, 10_000) {
		server, err := newSink()
		if err != nil {
			return err
		}
		err = b.site(filling{messages: n, recipients: 1, size: 500, next: time.Now().Add(-time.Minute)}, func(s *site) error {
			return s.flush(name, n, server)
		}, first, portOf(server))
		server.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// large: one message of 50 MiB, queued and delivered.
func (b *bench) large() error {
	server, err := newSink()
	if err != nil {
		return err
	}
	defer server.Close()
	message := filepath.Join(b.base, "large.eml")
	if err := writeLarge(message); err != nil {
		return err
	}
	return b.site(filling{}, func(s *site) error {
		s.stdin = message
		if _, err := s.notices("50 MiB: enqueue", 1, "enqueue", "patron@example.net"); err != nil {
			return err
		}
		s.stdin = ""
		return s.flush("50 MiB: flush", 1, server)
	}, portOf(server))
}

func writeLarge(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(writeMessage(w, 50_000_000), w.Flush(), f.Close())
}

// recipients: one message to 1,000 and to 10,000.
func (b *bench) recipients() error {
	for _, n := range []int{1_000, 10_000} {
		server, err := newSink()
		if err != nil {
			return err
		}
		err = b.site(filling{messages: 1, recipients: n, size: 500, next: time.Now().Add(-time.Minute)}, func(s *site) error {
			_, err := s.notices(fmt.Sprintf("%d recipients: flush", n), 1, "flush")
			return err
		}, portOf(server))
		server.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// bulk: the commands on the queue, for all messages at once.
func (b *bench) bulk() error {
	for _, n := range b.upTo(2_000, 20_000, 100_000) {
		f := filling{messages: n, recipients: 1, size: 500, next: time.Now().Add(10 * time.Minute), tried: true}
		if err := b.site(f, func(s *site) error { return s.bulk(n) }, 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) bulk(n int) error {
	for _, args := range [][]string{{"status"}, {"list"}, {"list", "--json"}, {"hold", "--all"}, {"release", "--all"}, {"retry", "--all"}} {
		if _, err := s.notices("bulk: "+strings.Join(args, " "), n, args...); err != nil {
			return err
		}
	}
	// As many ids as one command line holds.
	ids := []string{"remove"}
	for i := range min(n, 20_000) {
		ids = append(ids, fmt.Sprintf("1K10%012X", i))
	}
	_, err := s.notices("bulk: remove ID...", len(ids)-1, ids...)
	return err
}
