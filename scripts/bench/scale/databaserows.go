//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// pairs is how often two things are measured in turn.
const pairs = 3

// ratio prints the median of the ratios of pairs, and all of them.
func (b *bench) ratio(what string, values []float64) {
	sorted := slices.Sorted(slices.Values(values))
	fmt.Fprintf(b.out, "# %s: %.2f (%.2f)\n", what, sorted[len(sorted)/2], values)
}

// databaseIdle: nothing of 100,000 and of 1,000,000 deferred messages is due.
func (b *bench) databaseIdle() error {
	return b.withServer(func(s *server) error {
		for _, n := range b.upTo(10_000, 100_000, 1_000_000) {
			f := filling{messages: n, recipients: 1, size: 500, next: time.Now().Add(time.Hour), tried: true}
			err := s.site(f, func(site *site, name string) error {
				for range 2 {
					if _, err := s.counted(site, name, "idle: flush", n, "flush"); err != nil {
						return err
					}
				}
				return nil
			}, 1)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// counted runs the program, and prints the statements it made and the server's processor time.
func (s *server) counted(site *site, database, name string, n int, args ...string) (statements float64, err error) {
	if err := s.forget(database); err != nil {
		return 0, err
	}
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if _, err = site.notices(name, n, args...); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	if err == nil {
		statements, err = s.statements(database)
	}
	fmt.Fprintf(s.b.out, "# %s: %.0f statements, %.2f s of CPU in the server\n", name, statements, after-before)
	return statements, err
}

// databaseLarge: one message of 50 MiB, queued and delivered.
func (b *bench) databaseLarge() error {
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.Close()
	message := filepath.Join(b.base, "large.eml")
	if err := writeLarge(message); err != nil {
		return err
	}
	return b.withServer(func(s *server) error {
		return s.site(filling{}, func(site *site, _ string) error {
			site.stdin = message
			if _, err := site.notices("50 MiB: enqueue", 1, "enqueue", "patron@example.net"); err != nil {
				return err
			}
			site.stdin = ""
			return site.flush("50 MiB: flush", 1, sink)
		}, portOf(sink))
	})
}

// withoutIndexes drops the indexes that only searches need.
const withoutIndexes = "drop index notices.history_ended, notices.history_failed, notices.history_ref"

// databaseFlush: 5,000 messages of 4 KiB, from a folder, from the database by one host, and by two; and
// by one that keeps no history, or a history without the indexes that only searches need.
func (b *bench) databaseFlush() error {
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.Close()
	return b.withServer(func(s *server) error {
		f := filling{messages: min(5000, b.max), recipients: 1, size: 4000, next: time.Now().Add(-time.Minute)}
		variants := []variant{{hosts: 1}, {hosts: 2}, {hosts: 1, spool: `keep_history = "0"`}, {hosts: 1, sql: withoutIndexes}}
		var toFolder, cpu, toOne, each, toNone, toFew []float64
		for range pairs {
			var folder *usage
			err := b.site(f, func(site *site) (err error) {
				folder, err = site.notices("folder: flush", f.messages, "flush")
				return err
			}, portOf(sink))
			runs := make([]*flushed, len(variants))
			for i := 0; i < len(variants) && err == nil; i++ {
				runs[i], err = s.flushAs(variants[i], f, portOf(sink))
			}
			if err != nil {
				return err
			}
			one := runs[0]
			toFolder, cpu = append(toFolder, folder.Seconds/one.Seconds), append(cpu, one.CPU/folder.CPU)
			toOne, each = append(toOne, one.Seconds/runs[1].Seconds), append(each, one.statements/float64(f.messages))
			toNone, toFew = append(toNone, one.total()/runs[2].total()), append(toFew, one.total()/runs[3].total())
		}
		b.ratio("rate of the database beside that of the folder", toFolder)
		b.ratio("CPU time of the program on the database beside that on the folder", cpu)
		b.ratio("statements a message", each)
		b.ratio("rate of two hosts beside that of one", toOne)
		b.ratio("CPU time of program and server beside that without a history", toNone)
		b.ratio("CPU time of program and server beside that without the indexes of searches", toFew)
		return nil
	})
}

// databaseHosts: 1,600 messages for a mail server that takes 100 ms for each, by one host, by two and by
// four, with 20 connections each: so the hosts wait for the mail server, and not for a processor.
func (b *bench) databaseHosts() error {
	sink, err := newSlowSink(100 * time.Millisecond)
	if err != nil {
		return err
	}
	defer sink.Close()
	return b.withServer(func(s *server) error {
		f := filling{messages: min(1600, b.max), recipients: 1, size: 4000, next: time.Now().Add(-time.Minute)}
		var two, four []float64
		for range pairs {
			var runs [3]*flushed
			for i := range runs {
				if runs[i], err = s.flushAs(variant{hosts: 1 << i}, f, portOf(sink)); err != nil {
					return err
				}
			}
			two, four = append(two, runs[0].Seconds/runs[1].Seconds), append(four, runs[0].Seconds/runs[2].Seconds)
		}
		b.ratio("rate of two hosts beside that of one", two)
		b.ratio("rate of four hosts beside that of one", four)
		return nil
	})
}

// flushed is what a flush of one or more hosts took; its seconds go until the last one ended.
type flushed struct {
	usage
	server     float64 // seconds of CPU
	statements float64
}

func (f *flushed) total() float64 { return f.CPU + f.server }

// flushAs lets hosts share a flush.
func (s *server) flushAs(v variant, f filling, port int) (*flushed, error) {
	all := &flushed{}
	err := s.siteAs(v, f, func(site *site, name string) error {
		if err := s.forget(name); err != nil {
			return err
		}
		before, err := s.cpu()
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		each, errs := make([]*usage, v.hosts), make([]error, v.hosts)
		for i := range v.hosts {
			wg.Go(func() {
				each[i], errs[i] = site.notices(fmt.Sprintf("database: flush, %d of %d", i+1, v.hosts), f.messages/v.hosts, "flush")
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for _, u := range each {
			all.Seconds, all.CPU = max(all.Seconds, u.Seconds), all.CPU+u.CPU
		}
		after, err := s.cpu()
		all.server = after - before
		if err == nil {
			all.statements, err = s.statements(name)
		}
		fmt.Fprintf(s.b.out, "# %+v: %.2f s of CPU in the server, %.2f s in the program, %.0f statements\n", v, all.server, all.CPU, all.statements)
		return err
	}, port)
	return all, err
}

// databaseEnqueue: messages queued by a process each, and imported; and beside them a bare insert
// and commit through the same driver.
func (b *bench) databaseEnqueue() error {
	small, many := filepath.Join(b.base, "small.eml"), filepath.Join(b.base, "many.mbox")
	if err := errors.Join(writeMbox(small, 1), writeMbox(many, min(10_000, b.max))); err != nil {
		return err
	}
	return b.withServer(func(s *server) error {
		var toBare, toImport []float64
		for range pairs {
			if err := s.site(filling{}, func(site *site, name string) error {
				bare, one, imported, err := s.enqueued(site, name, small, many)
				toBare, toImport = append(toBare, bare/one), append(toImport, one/imported)
				return err
			}, 1); err != nil {
				return err
			}
		}
		b.ratio("rate of enqueue beside that of a bare insert, a process each", toBare)
		b.ratio("rate of import beside that of enqueue", toImport)
		return nil
	})
}

// enqueued returns the seconds a message of each.
func (s *server) enqueued(site *site, database, small, many string) (bare, one, imported float64, err error) {
	const n = 200
	measured := func(messages int, name string, args ...string) float64 {
		if err != nil {
			return 0
		}
		var u *usage
		if u, err = site.run(name, messages, nil, args[0], args[1:]...); err != nil {
			return 0
		}
		return u.Seconds / float64(messages)
	}
	repeated := []string{s.b.self, "repeat", fmt.Sprint(n), small}
	bare = measured(n, "bare insert, a process each", append(repeated, s.b.self, "insert", s.URL(database), "1", small)...)
	measured(n, "bare inserts of one process", s.b.self, "insert", s.URL(database), fmt.Sprint(n), small)
	if err == nil {
		err = s.forget(database)
	}
	one = measured(n, "enqueue, a process each", append(repeated, s.b.binary, "--config", site.config, "enqueue", "patron@example.net")...)
	if err == nil {
		var statements float64
		statements, err = s.statements(database)
		fmt.Fprintf(s.b.out, "# enqueue: %.1f statements a message\n", statements/n)
	}
	imported = measured(min(10_000, s.b.max), "import", s.b.binary, "--config", site.config, "import", many)
	return bare, one, imported, err
}

// writeMbox writes n notices of 4 KiB; one is a plain message.
func writeMbox(name string, n int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range n {
		if n > 1 {
			fmt.Fprintf(w, "From library@example.org Mon Nov 30 09:00:00 2026\nX-Notice: %d\n", i)
		}
		var text strings.Builder
		err = errors.Join(err, writeMessage(&text, 4000))
		fmt.Fprintf(w, "%s\n", strings.ReplaceAll(text.String(), "\r\n", "\n"))
	}
	return errors.Join(err, w.Flush(), f.Close())
}

// repeat runs a program n times, with a file as its input.
func repeat(n, input, command string, args ...string) error {
	times, err := strconv.Atoi(n)
	for i := 0; i < times && err == nil; i++ {
		err = runWith(input, command, args...)
	}
	return err
}

func runWith(input, command string, args ...string) error {
	f, err := os.Open(input)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(command, args...)
	cmd.Stdin, cmd.Stderr = f, os.Stderr
	return cmd.Run()
}

// insert inserts a text n times through the driver, one commit each.
func insert(url, n, input string) error {
	ctx := context.Background()
	times, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(input)
	if err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, `create table if not exists bare (id bigint generated always as identity primary key, body bytea)`); err != nil {
		return err
	}
	for range times {
		if _, err := c.Exec(ctx, `insert into bare (body) values ($1)`, pgx.QueryExecModeExec, text); err != nil {
			return err
		}
	}
	return nil
}
