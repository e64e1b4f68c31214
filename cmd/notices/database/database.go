// Package database opens the database of [spool], and the folder beside it.
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/drop"
	"notices/spool/intake"
	"notices/spool/maildir"
	"notices/spool/maillog"
	"notices/spool/postgres"
	"notices/spool/printable"
)

// Open opens the database of [spool] database.
func Open(p *app.Program, cfg *config.Config) (spool.Store, error) {
	s, err := connect(context.Background(), p, cfg, 0)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func connect(ctx context.Context, p *app.Program, cfg *config.Config, patience time.Duration) (*postgres.Store, error) {
	url, err := cfg.Spool.Database.Read(ctx)
	if err != nil {
		return nil, err
	}
	o := postgres.Options{URL: url, NoHistory: cfg.Spool.KeepHistory == 0, Patience: patience}
	if cfg.Spool.DatabasePassword.IsSet() {
		o.Password = cfg.Spool.DatabasePassword.Read
	}
	if o.Host = p.FindHostname(cfg, false)(); o.Host == "" {
		o.Host, _ = os.Hostname() // only a person reads it
	}
	s, err := postgres.Open(ctx, o)
	if problem := (*config.Error)(nil); errors.As(err, &problem) {
		return nil, problem // of the password: it names the key and the line
	}
	if err != nil {
		return nil, Error(cfg, err)
	}
	return s, nil
}

// Error says that an error is one of the database.
func Error(cfg *config.Config, err error) error {
	return fmt.Errorf("%s: [spool] database: %w", cfg.Path, err)
}

// OpenBuffered opens the database for mail that comes in, and the folder of [spool] dir for mail that
// the database cannot take. It waits for the database for a shorter time than Open: a person, or a
// program, waits for it.
func OpenBuffered(p *app.Program, cfg *config.Config, log *maillog.Log) (intake.Store, error) {
	s := &buffer.Store{
		Database: func(ctx context.Context) (buffer.Target, error) { return openPatiently(ctx, p, cfg, buffer.Patience) },
		Folder: func(context.Context) (buffer.Target, error) {
			folder, err := maildir.Open(cfg.Spool.Dir, maildir.Options{Now: p.Now, NoHistory: true})
			return folder, folderError(cfg, err)
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
	return connect(ctx, p, cfg, patience)
}

// Beside is the folder beside the database.
type Beside struct {
	Program *app.Program
	Config  *config.Config
}

// Open opens the folder. It returns nil if none is set, or if it has no spool in it yet.
func (b Beside) Open() (*maildir.Store, error) {
	if !b.Config.Spool.Buffer || b.Program.Store != nil {
		return nil, nil
	}
	folder, err := buffer.Open(b.Config.Spool.Dir, b.Program.Now)
	return folder, folderError(b.Config, err)
}

// folderError says which key names the folder.
func folderError(cfg *config.Config, err error) error {
	if errors.Is(err, spool.ErrNoSpool) {
		return fmt.Errorf("%s: [spool] dir has to name a folder, or one that can be made: %w", cfg.Path, err)
	}
	return err
}

// Move moves what is in the folder into the database, as each flush does first. Only errors of the
// database are returned: what is wrong with the folder does not keep other mail from being sent.
func (b Beside) Move(ctx context.Context, database spool.Store, log *maillog.Log) error {
	folder, err := b.Open()
	if err == nil && folder != nil {
		var moved buffer.Counts
		aside := func(a spool.Anomaly) { a.Moved = filepath.Join(b.Config.Spool.Dir, a.Moved); log.Aside(a) }
		stays := func(id spool.ID, err error) {
			if errors.Is(err, spool.ErrDamaged) {
				aside(spool.Anomaly{Name: string(id), Moved: "aside", Why: err.Error()})
			} else {
				log.MessageTrouble(id, err, false)
			}
		}
		moved, err = buffer.Move(ctx, folder, database, stays, aside)
		err = errors.Join(err, folder.Close())
		if moved.Messages > 0 {
			maillog.Moved(log, moved.Messages, b.Config.Spool.Dir)
		}
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, spool.ErrUnreachable), errors.Is(err, spool.ErrMisconfigured), errors.Is(err, spool.ErrUnsure):
		return Error(b.Config, fmt.Errorf("what is in %s stays there until the next flush: %w", b.Config.Spool.Dir, err))
	}
	log.Trouble("the mail in "+b.Config.Spool.Dir+" cannot be moved into the database", errors.New(app.Explain(err)))
	return nil
}

// View opens the spool for commands that list messages: those in the folder are listed, too.
func (b Beside) View() (spool.Store, error) {
	store, err := b.Program.OpenStore(b.Config)
	if err != nil {
		return nil, b.Explain(err)
	}
	return b.Over(store), nil
}

// Over is the database with what is in the folder, as View has it. Close closes both.
func (b Beside) Over(store spool.Store) spool.Store {
	folder, err := b.Open()
	if err != nil {
		b.Program.Say("the mail in %s, which waits for the database, cannot be listed: %s", b.Config.Spool.Dir, err)
		return store
	}
	if folder == nil {
		return store
	}
	return buffer.NewView(store.(buffer.Database), folder)
}

// Count counts the mail in the folder.
func (b Beside) Count(ctx context.Context) (buffer.Waiting, error) {
	folder, err := b.Open()
	if err != nil || folder == nil {
		return buffer.Waiting{Dir: b.Config.Spool.Dir}, err
	}
	w, err := buffer.Count(ctx, b.Config.Spool.Dir, folder)
	return w, errors.Join(err, folder.Close())
}

// CountAside counts what was set aside in the folder.
func (b Beside) CountAside(ctx context.Context) (n, fromDrop int, err error) {
	folder, err := b.Open()
	if err != nil || folder == nil {
		return 0, 0, err
	}
	n, fromDrop, err = folder.CountAside(ctx)
	return n, fromDrop, errors.Join(err, folder.Close())
}

// Trouble says what keeps the folder from its work; "" if nothing does, or if this user may not look.
func (b Beside) Trouble(ctx context.Context) string {
	if !b.Config.Spool.Buffer || b.Program.Store != nil {
		return ""
	}
	dir := b.Config.Spool.Dir
	folder, err := b.Open()
	if err == nil && folder != nil {
		w, failed := buffer.Count(ctx, dir, folder)
		if err = failed; err == nil && w.Messages > 0 {
			err = folder.Writable(ctx)
		}
		err = errors.Join(err, folder.Close())
	}
	what := "the folder beside the database cannot be used: "
	if info, e := os.Stat(dir); err == nil && e == nil && info.IsDir() {
		err = drop.Check(dir)
		if junk := (*drop.Problem)(nil); errors.As(err, &junk) && junk.Junk {
			err = nil // somebody left there what is not mail
		}
		what = "other users cannot hand mail in: "
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, fs.ErrPermission) && !errors.As(err, new(*drop.Problem)) {
		return ""
	}
	return what + app.Explain(err)
}

// Explain adds to an error of the database how much mail waits in the folder.
func (b Beside) Explain(err error) error {
	if !errors.Is(err, spool.ErrUnreachable) {
		return err
	}
	w, failed := b.Count(context.Background())
	switch {
	case failed != nil:
		return fmt.Errorf("%w; the mail in %s cannot be counted: %w", err, b.Config.Spool.Dir, failed)
	case w.Messages > 0:
		return fmt.Errorf("%w; %s", err, Text(w, b.Program.Now()))
	}
	return err
}

// Text is `2 messages wait in /var/spool/notices, the oldest for 5m; ...`.
func Text(w buffer.Waiting, now time.Time) string {
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
