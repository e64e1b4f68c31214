package main

import (
	"context"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maillog"
)

type importOptions struct {
	Sender  *string // nil: [site] address; "" or "<>": the null sender
	Ref     string
	Expires time.Duration // 0: give_up decides
	Again   bool          // also what an earlier import queued
	// Continue goes on with the last import Again that did not queue all.
	Continue  bool
	Separator intake.Separator
	DryRun    bool
	JSON      bool
	Paths     []string
}

func (a *cli) importCommand() *cobra.Command {
	var (
		o       importOptions
		sender  app.Optional
		expires app.Duration
		mbox    string
	)
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "import [-f SENDER] [--ref TEXT] [--expires DURATION] [--again [--continue]] [--mbox separator=blank|any] [--dry-run] [--json] PATH...",
		Short: "Queue the messages in files, mboxes and folders, none of them twice",
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.Paths, o.Sender, o.Expires = args, sender.Value, time.Duration(expires)
			switch {
			case len(args) == 0:
				return app.UsageError("notices import", errors.New("which files? Name an .eml, an mbox, a Maildir or a folder of .eml; - is standard input"))
			case cmd.Flags().Changed("expires") && o.Expires <= 0:
				return app.UsageError("notices import", errors.New("--expires takes a time that leaves room for an attempt, such as 4h"))
			case !o.setSeparator(mbox):
				return app.UsageError("notices import", errors.New("--mbox takes separator=blank, when every message of an mbox begins after an empty line, or separator=any, when every \"From \" line with a date begins one"))
			case o.Continue && !o.Again:
				return app.UsageError("notices import", errors.New("--continue goes with --again; any other import goes on by itself when it is run again"))
			}
			return a.importMail(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.VarP(&sender, "sender", "f", "the envelope `SENDER` of all of them; default: [site] address; <> is the null sender")
	f.StringVar(&o.Ref, "ref", "", "a `TEXT` of your own for all of them, e.g. the name of the run; it comes back in returns and lists")
	f.Var(&expires, "expires", "give up after this `DURATION` instead of [retry] give_up")
	f.BoolVar(&o.Again, "again", false, "queue what an earlier import queued once more")
	f.BoolVar(&o.Continue, "continue", false, "with --again: pass over what the last import --again queued before it was interrupted")
	f.StringVar(&mbox, "mbox", "", "`separator=WHICH` lines of an mbox begin a message: blank, those after an empty line; any, all with a date")
	f.BoolVar(&o.DryRun, "dry-run", false, "print what would be queued, and queue nothing")
	f.BoolVar(&o.JSON, "json", false, "print what was done as JSON")
	return cmd
}

// setSeparator takes the value of --mbox.
func (o *importOptions) setSeparator(text string) bool {
	which, ok := strings.CutPrefix(text, "separator=")
	o.Separator = intake.Separator(which)
	return text == "" || ok && (o.Separator == intake.SeparatorBlank || o.Separator == intake.SeparatorAny)
}

// notesKept is how long an import remembers what it queued.
const notesKept = 30 * 24 * time.Hour

// importMail queues the messages of all paths. A first SIGINT or SIGTERM ends it
// cleanly: what was read is queued, and it says how far it came. A second one kills;
// then too a run of the same command queues what is missing and nothing twice.
func (a *cli) importMail(ctx context.Context, o importOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	m := &importing{a: a, o: o, tally: importTally{DryRun: o.DryRun}}
	cfg, err := a.ReadConfig(config.Intake)
	if err == nil {
		m.spool = cfg.Spool.Dir
		err = m.asRoot(cfg)
	}
	if err != nil {
		return err
	}
	return a.withSpoolOf(cfg, func(cfg *config.Config, store spool.Store, log *maillog.Log) error {
		book, err := a.notebook(ctx, store)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return app.Fail(app.ExitTryLater, "stopped; no message was found; run the same command again")
		case err != nil:
			return err
		}
		if err = a.Intake(cfg, store, log).CheckRequest(m.request(nil)); err == nil {
			err = m.into(ctx, a.Intake(cfg, store, log), book, store.State())
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
func (a *cli) notebook(ctx context.Context, store spool.Store) (spool.Notebook, error) {
	noted, ok := store.(spool.Noted)
	if !ok {
		return nil, app.Fail(app.ExitInternal, "this spool keeps no notes of what is imported")
	}
	for told := false; ; told = true {
		book, err := noted.Notebook(ctx, a.Now().Add(-notesKept))
		if !errors.Is(err, spool.ErrBusy) {
			return book, err
		}
		if !told {
			a.Say("another import is at work; waiting for it to end")
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
	a       *cli
	o       importOptions
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
