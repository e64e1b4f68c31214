//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"notices/spool"
	"notices/spool/maildir"
)

// history: what became of so many messages of the last 89 days, searched in the usual ways; and
// beside the largest one, a queue of 100,000 that waits.
func (b *bench) history() error {
	for _, n := range b.upTo(100_000, 1_000_000) {
		f := filling{messages: 100_000, recipients: 1, size: 500, next: time.Now().Add(time.Hour), tried: true}
		if n < 1_000_000 {
			f.messages = 0
		}
		if err := b.site(f, func(s *site) error { return s.history(n) }, 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) history(n int) error {
	if err := fillHistory(filepath.Join(s.dir, "spool"), n); err != nil {
		return err
	}
	return s.searches(n)
}

// searches searches in the usual ways.
func (s *site) searches(n int) error {
	for _, args := range [][]string{
		{"--to", "patron777@example77.net"}, {"--to", "PATRON777"}, {"--ref", "patron-777"}, {"--since", "7d", "--outcome", "returned,bounced", "--csv"}, {"--json"},
	} {
		name := "history"
		for _, a := range args {
			name += " " + a
		}
		// The second time the files are in the page cache.
		for range 2 {
			if _, err := s.notices(name, n, append([]string{"history"}, args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillHistory writes n entries into a folder.
func fillHistory(dir string, n int) error {
	now := time.Now()
	store, err := maildir.Open(dir, maildir.Options{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	return errors.Join(addHistory(store, n, &now), store.Close())
}

// addHistory adds n entries over 89 days to 50,000 recipients at 100 domains; two in a hundred came
// back. now goes back these days, and on with them.
func addHistory(store spool.Store, n int, now *time.Time) error {
	const days = 89 * 24 * time.Hour
	*now = now.Add(-days)
	var batch []spool.HistoryEntry
	for i := range n {
		*now = now.Add(days / time.Duration(n))
		batch = append(batch, entry(i, now.UTC().Truncate(time.Second)))
		if len(batch) == 2000 || i == n-1 {
			if err := store.AddHistory(context.Background(), batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

func entry(i int, queued time.Time) spool.HistoryEntry {
	patron, at := i%50_000, queued.Add(time.Minute)
	e := spool.HistoryEntry{
		ID: spool.ID(fmt.Sprintf("1K10%012X", i)), QueuedAt: queued, EndedAt: at, Sender: "library@example.org",
		Recipient: fmt.Sprintf("patron%d@example%d.net", patron, patron%100), Ref: fmt.Sprintf("patron-%d", patron),
		MessageID: fmt.Sprintf("<1K10%012X@mail.example.org>", i), Attempts: 1, Ending: spool.EndedDelivered,
		Last: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Host: "smtp.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued as 4F2A1BC0D3", At: at}},
	}
	if i%50 == 0 {
		e.Ending = spool.EndedReturned
		e.Last = spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Server: "1", Host: "smtp.example.org", Code: 550, Enhanced: "5.1.1", Text: "no such user", At: at}}
	}
	return e
}
