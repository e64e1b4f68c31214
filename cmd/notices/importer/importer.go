// Package importer is notices import: it queues the messages in files, mboxes and folders,
// none of them twice.
package importer

import (
	"context"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/intake"
	"notices/spool/intake/mbox"
	"notices/spool/maillog"
)

// Options are those of notices import.
type Options struct {
	Sender  *string // nil: [site] address; "" or "<>": the null sender
	Ref     string
	Expires time.Duration // 0: give_up decides
	Again   bool          // also what an earlier import queued
	// Continue goes on with the last import Again that did not queue all.
	Continue  bool
	Separator mbox.Separator
	DryRun    bool
	JSON      bool
	Paths     []string
}

// SetSeparator takes the value of --mbox.
func (o *Options) SetSeparator(text string) bool {
	which, ok := strings.CutPrefix(text, "separator=")
	o.Separator = mbox.Separator(which)
	return text == "" || ok && (o.Separator == mbox.Blank || o.Separator == mbox.Any)
}

// notesKept is how long an import remembers what it queued.
const notesKept = 30 * 24 * time.Hour

// Run queues the messages of all paths. A first SIGINT or SIGTERM ends it
// cleanly: what was read is queued, and it says how far it came. A second one kills;
// then too a run of the same command queues what is missing and nothing twice.
func Run(ctx context.Context, p *app.Program, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	m := &importing{p: p, o: o, tally: importTally{DryRun: o.DryRun}}
	cfg, err := p.ReadConfig(config.Intake)
	if err == nil {
		m.spool = cfg.Spool.Dir
		err = m.asRoot(cfg)
	}
	if err != nil {
		return err
	}
	return p.WithSpool(cfg, func(store spool.Store, log *maillog.Log) error {
		book, err := notebook(ctx, p, store)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return app.Fail(app.ExitTryLater, "stopped; no message was found; run the same command again")
		case err != nil:
			return err
		}
		if err = p.Intake(cfg, store, log).CheckRequest(m.request(nil)); err == nil {
			err = m.into(ctx, p.Intake(cfg, store, log), book, store.State())
		}
		if e := book.Close(); err == nil {
			err = e
		}
		return err
	})
}

// into makes the run, and remembers of one that is --again whether all is queued.
func (m *importing) into(ctx context.Context, in *intake.Intake, book spool.Notebook, state spool.State) error {
	again, err := m.again(ctx, state)
	if err != nil {
		return err
	}
	m.bulk = in.Bulk(book, again)
	defer m.bulk.Abort()
	if err := m.run(ctx); err != nil {
		return err
	}
	return m.complete(ctx, state)
}

// notebook opens the notes of what was queued. Another import has them until it ends.
func notebook(ctx context.Context, p *app.Program, store spool.Store) (spool.Notebook, error) {
	noted, ok := store.(spool.Noted)
	if !ok {
		return nil, app.Fail(app.ExitInternal, "this spool keeps no notes of what is imported")
	}
	for told := false; ; told = true {
		book, err := noted.Notebook(ctx, p.Now().Add(-notesKept))
		if !errors.Is(err, spool.ErrBusy) {
			return book, err
		}
		if !told {
			p.Say("another import is at work; waiting for it to end")
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// importing is one run.
type importing struct {
	p       *app.Program
	o       Options
	spool   string
	found   []importFile // before the run, by root
	bulk    *intake.Bulk
	bar     *importBar
	tally   importTally
	mute    bool          // standard output is gone, and that was said
	named   []importError // what was refused, to be named at the end
	refused int           // how many those are, with more than are named
}

// run reads and queues until the end, a signal or trouble with the spool, and says
// how far it came.
func (m *importing) run(ctx context.Context) error {
	files := m.found
	if files == nil {
		files = m.files()
	}
	m.bar = m.newBar(files)
	err := m.each(ctx, files)
	// What was read so far is good, whatever came then.
	if e := m.commit(ctx); err == nil || errors.Is(err, errStopped) && e != nil {
		err = e
	}
	m.bar.clear()
	m.tally.Stopped = err != nil
	if e := m.report(); err == nil {
		err = e
	}
	switch {
	case errors.Is(err, errStopped):
		return &app.Failure{Code: app.ExitTryLater}
	case err == nil && m.tally.worst != app.ExitOK:
		return &app.Failure{Code: m.tally.worst}
	}
	return err
}

// errStopped: by a signal.
var errStopped = errors.New("stopped")

func (m *importing) each(ctx context.Context, files []importFile) error {
	for _, f := range files {
		if err := m.file(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// commit queues what was added, and prints the ids: they are durable then.
func (m *importing) commit(ctx context.Context) error {
	ids, err := m.bulk.Commit(context.WithoutCancel(ctx))
	m.tally.Queued += len(ids)
	if m.o.JSON {
		m.tally.IDs = append(m.tally.IDs, ids...)
	} else {
		m.print(ids)
	}
	return err
}
