// Package returned is notices read-bounces: it records bounces, the returns that other servers
// make after they, or a server before them, had accepted a message from us. It reads them from
// files, or from the mailbox of [bounces].
package returned

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/mailfile"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/intake/mbox"
	"notices/spool/mailbox"
	"notices/spool/maillog"
	"notices/spool/oauth"
	"notices/spool/printable"
	"notices/spool/returns"
)

// Options are the options of notices read-bounces.
type Options struct {
	Paths  []string // none: the mailbox
	DryRun bool
	JSON   bool
	// Site is who passes on the bounces of hosted sites.
	Site func(*config.Config) bounce.Site
	// Server makes the mailbox's server of [bounces].
	Server func(ctx context.Context, cfg *config.Config, state spool.State) (mailbox.Server, error)
}

// reading is one run.
type reading struct {
	p       *app.Program
	o       Options
	log     *maillog.Log
	matcher *returns.Matcher
	label   string // of the file or mailbox that is read, for -v
	labels  []string
	results
}

// Run reads the bounces. A first SIGINT or SIGTERM ends it cleanly: what was settled by then
// is kept, and the next run reads the rest.
func Run(ctx context.Context, p *app.Program, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	r := &reading{p: p, o: o, results: newResults(o)}
	r.quiet = r.silent
	work := r.mailbox
	if len(o.Paths) > 0 {
		work = r.paths
	}
	err := work(ctx)
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		err = app.Fail(app.ExitTryLater, "stopped; run the same command again, and it reads the rest")
	}
	return err
}

// NeedsHistory is the error of a config by which no bounce can be matched, or nil.
func NeedsHistory(cfg *config.Config) error {
	if cfg.Spool.KeepHistory > 0 {
		return nil
	}
	return cfg.Fault("spool", 0, "keep_history", errors.New(`is "0": no history is kept of what was sent, so no bounce can be matched; set keep_history = "90d"`))
}

// withHistory opens the spool for work, and prints what came of it.
func (r *reading) withHistory(cfg *config.Config, work func(spool.Store) error) error {
	if err := NeedsHistory(cfg); err != nil {
		return err
	}
	return r.p.WithSpool(cfg, func(store spool.Store, log *maillog.Log) error {
		r.log = log
		var history returns.History = store
		if r.o.DryRun {
			history = readOnly{store}
		}
		r.matcher = returns.NewMatcher(history, r.p.Now)
		r.matcher.Queue = store
		if !r.o.DryRun {
			r.matcher.Before = (&passing{p: r.p, store: store, site: r.o.Site(cfg), log: log}).bounces
		}
		err := work(store)
		r.counts = r.matcher.Counts
		if err != nil && r.counts.Read == 0 && !r.o.JSON {
			return err
		}
		return cmp.Or(err, r.print(r.p))
	})
}

// readOnly is the history in a dry run.
type readOnly struct{ spool.Store }

func (readOnly) AddHistory(context.Context, ...spool.HistoryEntry) error { return nil }

// paths reads files.
func (r *reading) paths(ctx context.Context) error {
	cfg, err := r.p.ReadConfig(config.Intake)
	if err != nil {
		return err
	}
	search := mailfile.Search{Spool: cfg.Spool.Dir, Refuse: func(path, why string) { r.refuse(path, why, app.ExitUnknown) }}
	files, asRoot, err := search.AsRoot(r.p, cfg, r.o.Paths)
	if err != nil {
		return err
	}
	err = r.withHistory(cfg, func(spool.Store) error {
		if !asRoot {
			files = search.Files(r.o.Paths)
		}
		for i := range files {
			if err := r.file(ctx, &files[i]); err != nil {
				return err
			}
		}
		_, err := r.Commit(ctx)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.worst != app.ExitOK:
		return &app.Failure{Code: r.worst}
	case r.counts.InQueue > 0: // a mail server that runs this hands it the bounce once more
		return &app.Failure{Code: app.ExitTryLater}
	}
	return nil
}

// file reads the messages of a file. Only an error of the spool, or the end of ctx, ends the run.
func (r *reading) file(ctx context.Context, f *mailfile.File) error {
	source, err := f.Source(ctx, r.p.Stdin)
	var failure *app.Failure
	if errors.As(err, &failure) {
		r.refuse(f.Path, failure.Error(), failure.Code)
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	in := &mailfile.Input{Reader: source, Context: ctx}
	err = r.messages(ctx, f, bufio.NewReaderSize(in, 1<<16))
	if in.Err != nil && ctx.Err() == nil {
		r.refuse(f.Path, "reading it: "+mailfile.Reason(in.Err), app.ExitIO)
		return nil
	}
	return err
}

// messages decides by the content whether it is an mbox.
func (r *reading) messages(ctx context.Context, f *mailfile.File, in *bufio.Reader) error {
	beginning, err := in.Peek(512)
	switch {
	case err != nil && err != io.EOF:
		return err
	case len(beginning) == 0: // an mbox that was emptied
		return nil
	case !mbox.Begins(beginning) && !isMail(beginning):
		r.refuse(f.Path, noMail(beginning), app.ExitBadMessage)
		return nil
	case f.Single || !mbox.Begins(beginning):
		return r.message(ctx, f.Path, in)
	}
	for box := mbox.NewReader(in, mbox.Loose); ; {
		m, err := box.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = r.message(ctx, f.Path+", message "+strconv.Itoa(box.Number()), m)
		}
		if err != nil {
			return err
		}
	}
}

// isMail reports whether a file can be a message: whether a header's field begins it.
func isMail(beginning []byte) bool {
	beginning = bytes.TrimPrefix(bytes.TrimLeft(beginning, "\r\n"), []byte("\ufeff"))
	if bytes.HasPrefix(beginning, []byte("From ")) || bytes.HasPrefix(beginning, []byte(">From ")) {
		return true
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	name, _, found := bytes.Cut(beginning, []byte(":"))
	return found && len(name) > 0 && len(bytes.Trim(bytes.TrimRight(name, " \t"), letters)) == 0
}

// noMail says what to do with a file that is no message.
func noMail(beginning []byte) string {
	for _, magic := range []string{"\x1f\x8b", "PK\x03\x04", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(beginning, []byte(magic)) {
			return "this file is compressed: unpack it, then name what was in it"
		}
	}
	return "not a mail message: save the mail as .eml or as an mbox, and name that"
}

func (r *reading) message(ctx context.Context, label string, in io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.label = label
	err := r.Take(in)
	if cut := mbox.Error(""); errors.As(err, &cut) {
		return nil // an mbox that ends within a header
	}
	if err == nil && r.matcher.Full() {
		_, err = r.Commit(ctx)
	}
	return err
}

// Take looks at one message, for mailbox.Sink.
func (r *reading) Take(in io.Reader) error {
	found, err := returns.Parse(in)
	if err == nil {
		r.matcher.Add(found)
		r.labels = append(r.labels, r.label+r.about(found))
	}
	return err
}

// about is what a person finds the message by: its date and its sender, as far as it names them.
func (r *reading) about(m *returns.Return) string {
	at := ""
	if !m.At.IsZero() {
		at = m.At.In(r.p.Now().Location()).Format("2006-01-02 15:04")
	}
	words := strings.TrimSpace(at + " " + m.From)
	if words == "" {
		return ""
	}
	return " (" + words + ")"
}

// Commit decides on the messages since the last one, for mailbox.Sink.
func (r *reading) Commit(ctx context.Context) ([]mailbox.Verdict, error) {
	settled, anomalies, err := r.matcher.Settle(ctx)
	for _, a := range anomalies {
		r.anomaly(r.p, a)
	}
	if err != nil {
		return nil, err
	}
	verdicts := make([]mailbox.Verdict, len(settled))
	for i := range settled {
		switch settled[i].Verdict {
		case returns.Bounced, returns.Known:
			verdicts[i] = mailbox.Done
		case returns.InQueue, returns.NotOurs: // another program may hand us the message meanwhile
			verdicts[i] = mailbox.Again
		}
		if settled[i].Verdict == returns.Bounced && !r.o.DryRun {
			for k := range settled[i].Entries {
				r.log.Bounced(&settled[i].Entries[k])
			}
		}
		r.note(r.p, r.labels[i], &settled[i])
	}
	r.labels = nil
	return verdicts, nil
}

// mailbox reads the mailbox of [bounces], and remembers how that went.
func (r *reading) mailbox(ctx context.Context) error {
	cfg, err := r.p.Load(config.Returns)
	if err != nil {
		return err
	}
	if cfg.Bounces.Imap == "" {
		return cfg.Missing("[bounces] imap", "it names the mailbox that bounces come to; or name files with mail, or - for standard input: notices read-bounces PATH")
	}
	return r.withHistory(cfg, func(store spool.Store) error {
		err := r.folder(ctx, cfg, store.State())
		if !r.o.DryRun && (err == nil || ctx.Err() == nil) {
			err = errors.Join(err, r.remember(ctx, store.State(), err))
		}
		switch err = withHints(err); {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return err
		case err != nil && r.o.JSON:
			first, _, _ := strings.Cut(err.Error(), "\n")
			r.refused = append(r.refused, refusal{r.label, first})
		}
		if r.o.DryRun { // by hand
			return err
		}
		return announce.Mailbox(ctx, r.p, store.State(), err)
	})
}

func (r *reading) folder(ctx context.Context, cfg *config.Config, state spool.State) error {
	r.label = cfg.Bounces.Imap
	server, err := r.o.Server(ctx, cfg, state)
	if err != nil {
		return err
	}
	run := &mailbox.Reading{Server: server, Folder: cfg.Bounces.Folder, MoveTo: cfg.Bounces.MoveTo, State: state, Sink: r, Peek: r.o.DryRun}
	_, err = run.Run(ctx)
	return err
}

// remember stores how it went, for status.
func (r *reading) remember(ctx context.Context, state spool.State, err error) error {
	return spool.UpdateState(context.WithoutCancel(ctx), state, spool.BouncesReadName, false, func(v *spool.BouncesRead) error {
		*v = spool.BouncesRead{At: r.p.Second(), Read: r.matcher.Counts.Read, Bounced: r.matcher.Counts.Bounced}
		if err != nil {
			v.Error = printable.Short(printable.Line(err.Error()), 500)
		}
		return nil
	})
}

// withHints adds to an error of the mailbox's server what a person can try.
func withHints(err error) error {
	var e *mailbox.Error
	var provider *oauth.Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &provider) && provider.Temporary():
		return &app.Failure{Code: app.ExitUnavailable, Err: err}
	case provider != nil: // somebody has to sign in
		return &app.Failure{Code: app.ExitConfig, Err: err}
	default:
		return err
	}
	text := err.Error() + "\nWhat to try:"
	for _, hint := range e.Hints() {
		text += "\n  - " + hint
	}
	return app.Fail(app.ExitUnavailable, "%s", text)
}

// silent: of the mailbox, cron gets nothing to mail but errors. A mail about a bounce might bounce
// itself, and the next run would tell of that one.
func (r *reading) silent() bool {
	return len(r.o.Paths) == 0 && !r.p.Verbose && !r.o.DryRun && term.Width(r.p.Stdout) == 0
}
