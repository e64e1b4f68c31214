package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/intake"
	"notices/spool/maildir"
	"notices/spool/maillog"
	"notices/spool/postgres"
	"notices/spool/printable"
)

// openBuffered opens the database for mail that comes in, and behind it the folder of [spool] dir.
// Here the database is not waited for as long as elsewhere: a person waits, or a program.
func openBuffered(p *app.Program, cfg *config.Config, log *maillog.Log) (intake.Store, error) {
	s := &buffer.Store{
		Database: func(ctx context.Context) (buffer.Target, error) { return openPatiently(ctx, p, cfg, buffer.Patience) },
		Folder: func(context.Context) (buffer.Target, error) {
			return maildir.Open(cfg.Spool.Dir, maildir.Options{Now: p.Now, NoHistory: true})
		},
		Now:  p.Now,
		Mark: cfg.Spool.KeepHistory < buffer.HistoryKept,
		Buffered: func(ids []spool.ID, why error) {
			for _, id := range ids {
				maillog.Buffered(log, id, why.Error())
			}
		},
	}
	return s, s.Open(context.Background())
}

// openPatiently opens the database within a time.
func openPatiently(ctx context.Context, p *app.Program, cfg *config.Config, patience time.Duration) (*postgres.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return openPostgres(ctx, p, cfg, patience)
}

// besides is the folder beside the database.
type besides struct {
	p   *app.Program
	cfg *config.Config
}

// open opens the folder, if there is one and anything was ever in it; else it returns nil.
func (b besides) open() (*maildir.Store, error) {
	if !b.cfg.Spool.Buffer || b.p.Store != nil {
		return nil, nil
	}
	return buffer.Open(b.cfg.Spool.Dir, b.p.Now)
}

// move moves what is in the folder into the database, as each flush does first. An error is
// one of the database: what is wrong with the folder keeps no other mail from being sent.
func (b besides) move(ctx context.Context, database spool.Store, log *maillog.Log) error {
	folder, err := b.open()
	if err == nil && folder != nil {
		var moved buffer.Counts
		moved, err = buffer.Move(ctx, folder, database, func(id spool.ID, err error) { log.MessageTrouble(id, err, false) })
		err = errors.Join(err, folder.Close())
		if moved.Messages > 0 {
			maillog.Moved(log, moved.Messages, b.cfg.Spool.Dir)
		}
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, spool.ErrUnreachable), errors.Is(err, spool.ErrMisconfigured), errors.Is(err, spool.ErrUnsure):
		return databaseError(b.cfg, fmt.Errorf("%w: what is in %s stays there until the next flush: %w", spool.ErrUnreachable, b.cfg.Spool.Dir, err))
	}
	log.Trouble("the mail in "+b.cfg.Spool.Dir+" cannot be moved into the database", err)
	return nil
}

// view opens the spool for what lists messages: those in the folder are listed, too.
func (b besides) view() (spool.Store, error) {
	store, err := b.p.OpenStore(b.cfg)
	if err != nil {
		return nil, b.explain(err)
	}
	folder, err := b.open()
	if err != nil {
		b.p.Say("the mail in %s, which waits for the database, cannot be listed: %s", b.cfg.Spool.Dir, err)
		return store, nil
	}
	if folder == nil {
		return store, nil
	}
	return buffer.NewView(store.(buffer.Database), folder), nil
}

// count counts the mail in the folder.
func (b besides) count(ctx context.Context) (buffer.Waiting, error) {
	folder, err := b.open()
	if err != nil || folder == nil {
		return buffer.Waiting{Dir: b.cfg.Spool.Dir}, err
	}
	w, err := buffer.Count(ctx, b.cfg.Spool.Dir, folder)
	return w, errors.Join(err, folder.Close())
}

// explain adds to an error of the database what waits for it in the folder.
func (b besides) explain(err error) error {
	if !errors.Is(err, spool.ErrUnreachable) {
		return err
	}
	w, failed := b.count(context.Background())
	switch {
	case failed != nil:
		return fmt.Errorf("%w; the mail in %s cannot be counted: %w", err, b.cfg.Spool.Dir, failed)
	case w.Messages > 0:
		return fmt.Errorf("%w; %s", err, bufferedText(w, b.p.Now()))
	}
	return err
}

// bufferedText is `2 messages wait in /var/spool/notices, the oldest for 5m; ...`.
func bufferedText(w buffer.Waiting, now time.Time) string {
	verb := "wait"
	if w.Messages == 1 {
		verb = "waits"
	}
	text := printable.Count(w.Messages, "message") + " " + verb + " in " + w.Dir
	if !w.Oldest.IsZero() {
		text += ", the oldest for " + term.Span(max(now.Sub(w.Oldest), 0))
	}
	return text + "; the next notices flush that reaches the database moves them there"
}
