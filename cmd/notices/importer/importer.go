// Package importer is notices import: it queues the messages in files, mboxes and folders,
// none of them twice.
package importer

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/mailfile"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/intake"
	"notices/spool/intake/mbox"
	"notices/spool/maillog"
)

// Options are the options of notices import.
type Options struct {
	Sender  *string // nil: [site] address; "" or "<>": the null sender
	Ref     string
	Expires time.Duration // 0: give_up decides
	Again   bool          // also what an earlier import queued
	// Continue goes on with the last import with Again that did not queue everything.
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

// keysKept is how long an import remembers what has left the spool.
const keysKept = 30 * 24 * time.Hour

// importing is one run.
type importing struct {
	p    *app.Program
	o    Options
	bulk *intake.Bulk
	bar  *term.Progress
	results

	octets, size int64 // read, and of all files; size 0: not known

	// What a move of other spools needs.
	spools  []string
	store   spool.Store
	known   map[spool.ImportKey]struct{}
	history bool // is kept
}

// Run queues the messages of all paths. A first SIGINT or SIGTERM ends it cleanly: what was
// read is queued, and it says how far it came. A second one kills it. In both cases a run of
// the same command queues what is missing and nothing twice.
func Run(ctx context.Context, p *app.Program, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	cfg, err := p.ReadConfig(config.Intake)
	if err != nil {
		return err
	}
	m := &importing{p: p, o: o, results: results{json: o.JSON, tally: tally{DryRun: o.DryRun}}}
	if m.spools, err = m.o.spools(cfg); err != nil {
		return err
	}
	m.onlySpools, m.history = len(m.o.Paths) == 0, cfg.Spool.KeepHistory > 0
	s := mailfile.Search{
		Spool:  cfg.Spool.Dir,
		Refuse: func(path, why string) { m.refuse(refusal{Path: path, Error: why, code: app.ExitUnknown}) },
		Skip:   func() { m.tally.Marked++ },
	}
	files, asRoot, err := s.AsRoot(p, cfg, m.o.Paths)
	if err != nil {
		return err
	}
	return p.WithSpool(cfg, func(store spool.Store, log *maillog.Log) error {
		in := p.Intake(cfg, store, log)
		known, release, err := imported(ctx, p, store)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return app.Fail(app.ExitTryLater, "stopped; no message was found; run the same command again")
		case err != nil:
			return err
		}
		m.store, m.known = store, known
		if err = in.CheckRequest(m.request(nil)); err == nil {
			if !asRoot {
				files = s.Files(m.o.Paths)
			}
			err = m.queue(ctx, in, known, store.State(), files)
		}
		return errors.Join(err, release())
	})
}

// imported asks for what was imported. Another import keeps it until it ends.
func imported(ctx context.Context, p *app.Program, store spool.Store) (map[spool.ImportKey]struct{}, func() error, error) {
	for said := false; ; said = true {
		known, release, err := store.Imported(ctx, p.Now().Add(-keysKept))
		if !errors.Is(err, spool.ErrBusy) {
			return known, release, err
		}
		if !said {
			p.Say("%s; waiting for it to end", strings.TrimSuffix(err.Error(), ": "+spool.ErrBusy.Error()))
		}
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// queue makes the run. Of a run with --again it remembers whether everything is queued.
func (m *importing) queue(ctx context.Context, in *intake.Intake, known map[spool.ImportKey]struct{}, state spool.State, files []mailfile.File) error {
	again, err := m.again(ctx, state)
	if err != nil {
		return err
	}
	m.bulk = in.Bulk(sha256.New, known, again)
	defer m.bulk.Abort()
	if err := m.run(ctx, files); err != nil || !m.o.Again || m.o.DryRun {
		return err
	}
	return state.Update(context.WithoutCancel(ctx), againName, true, func([]byte) ([]byte, error) { return nil, nil })
}

// againName is the value of the spool that has the last import --again that did not queue
// everything. A repeat of its command may be a new wish (a job that sends the same mail
// each day), so it is continued only with --continue.
const againName = "import-again"

type againRun struct {
	Name string    `json:"name,omitempty"` // of intake.Again, in hexadecimal
	At   time.Time `json:"at,omitzero"`    // when it began
}

// again is the name of an import with --again: a new name, or that of the interrupted import.
// It is stored before anything is queued under it.
func (m *importing) again(ctx context.Context, state spool.State) (*intake.Again, error) {
	if !m.o.Again {
		return nil, nil
	}
	name := new(intake.Again)
	if m.o.Continue {
		last, err := spool.LoadState[againRun](ctx, state, againName)
		if err != nil {
			return nil, err
		}
		n, err := hex.Decode(name[:], []byte(last.Name))
		if err != nil || n != len(name) || m.p.Now().Sub(last.At) > keysKept {
			return nil, app.Fail(app.ExitUnknown, "no import --again was interrupted; without --continue all is queued again")
		}
		return name, nil
	}
	if _, err := rand.Read(name[:]); err != nil || m.o.DryRun {
		return name, err
	}
	return name, spool.UpdateState(ctx, state, againName, true, func(r *againRun) error {
		*r = againRun{Name: hex.EncodeToString(name[:]), At: m.p.Second()}
		return nil
	})
}

// errStopped says that a signal stopped the run.
var errStopped = errors.New("stopped")

// run reads and queues until the end, a signal or an error of the spool, and says how far it
// came.
func (m *importing) run(ctx context.Context, files []mailfile.File) error {
	m.bar = term.NewProgress(m.p)
	defer m.bar.Clear()
	for _, f := range files {
		if f.Size == 0 && !f.Single { // standard input, a pipe
			m.size = 0
			break
		}
		m.size += f.Size
	}
	err := m.moveSpools(ctx)
	for i := 0; i < len(files) && err == nil; i++ {
		err = m.file(ctx, files[i])
	}
	// What was read so far is queued, whatever happened then.
	if e := m.commit(ctx); err == nil || errors.Is(err, errStopped) && e != nil {
		err = e
	}
	m.bar.Clear()
	m.tally.Stopped = err != nil
	err = cmp.Or(err, m.report(m.p, m.o.Again))
	switch {
	case errors.Is(err, errStopped):
		return &app.Failure{Code: app.ExitTryLater}
	case err == nil && m.worst != app.ExitOK:
		return &app.Failure{Code: m.worst}
	}
	return err
}

// commit queues what was added, and prints the ids once they are durable.
func (m *importing) commit(ctx context.Context) error {
	ids, err := m.bulk.Commit(context.WithoutCancel(ctx))
	if len(ids) > 0 {
		m.bar.Hide() // the ids may go to the same terminal
	}
	m.queued(m.p, ids)
	return err
}

// file queues the messages of a file. It returns an error only if that ends the run.
func (m *importing) file(ctx context.Context, f mailfile.File) error {
	in := &mailfile.Input{Context: ctx, Octets: &m.octets}
	source, err := f.Source(ctx, m.p.Stdin)
	if err == nil {
		defer source.Close()
		err = m.check(ctx, f, source)
	}
	if err == nil {
		in.Reader = source
		err = m.read(ctx, f, in)
	}
	var refused mbox.Error
	var failure *app.Failure
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return errStopped
	case errors.As(err, &refused): // the whole of it, or it was changed meanwhile
		m.refuse(refusal{Path: f.Path, Error: refused.Error(), code: app.ExitBadMessage})
	case in.Err != nil:
		m.refuse(refusal{Path: f.Path, Error: "reading it: " + mailfile.Reason(in.Err), code: app.ExitIO})
	case errors.As(err, &failure):
		m.refuse(refusal{Path: f.Path, Error: failure.Error(), code: failure.Code})
	default:
		return err
	}
	return nil
}

// check reads an mbox to its end before anything of it is queued, and refuses a file that
// does not begin as an mbox but has messages of one.
func (m *importing) check(ctx context.Context, f mailfile.File, source *os.File) error {
	if f.Single {
		return nil
	}
	in := &mailfile.Input{Reader: source, Context: ctx}
	beginning := make([]byte, 512)
	n, err := source.ReadAt(beginning, 0)
	switch {
	case err != nil && err != io.EOF:
	case mbox.Begins(beginning[:n]):
		err = mbox.Check(in, m.o.Separator)
	case mailfile.IsEML(f.Path):
		return nil
	default:
		err = mbox.CheckMessage(in)
	}
	if err == nil || err == io.EOF {
		_, err = source.Seek(0, io.SeekStart)
	}
	if err == nil || errors.As(err, new(mbox.Error)) || ctx.Err() != nil {
		return err
	}
	return app.Fail(app.ExitIO, "reading it: %s", mailfile.Reason(err))
}

// read decides by the content whether it is an mbox.
func (m *importing) read(ctx context.Context, f mailfile.File, in io.Reader) error {
	r := bufio.NewReaderSize(in, 1<<16)
	beginning, err := r.Peek(512)
	switch {
	case err != nil && err != io.EOF:
		return err
	case f.Single || !mbox.Begins(beginning):
		if len(beginning) == 0 && !f.Single && !mailfile.IsEML(f.Path) {
			return app.Fail(app.ExitUnknown, "has no message in it")
		}
		return m.message(ctx, refusal{Path: f.Path}, r)
	}
	for box := mbox.NewReader(r, m.o.Separator); ; {
		r, err := box.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = m.message(ctx, refusal{Path: f.Path, Message: box.Number(), Line: box.Line()}, r)
		}
		if err != nil {
			return err
		}
	}
}

// message prepares one message, and queues those prepared if it is time. where says
// which it is.
func (m *importing) message(ctx context.Context, where refusal, r io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before, err := m.add(ctx, where, r)
	if refused := (*intake.Error)(nil); errors.As(err, &refused) {
		// Some of its words only make sense for enqueue.
		where.Error = strings.Replace(strings.TrimSuffix(refused.Msg, "; nothing was queued"), "name one as an argument, or in", "name one in", 1)
		where.code = app.ExitCode(refused)
		m.tally.Messages++
		m.tally.Refused++
		m.refuse(where)
		return nil
	}
	if err != nil {
		return err
	}
	m.tally.Messages++
	if before {
		m.tally.Before++
	}
	m.bar.ShowOctets(m.tally.Messages, m.octets, m.size)
	if m.bulk.Full() {
		return m.commit(ctx)
	}
	return nil
}

func (m *importing) add(ctx context.Context, where refusal, r io.Reader) (before bool, err error) {
	if !m.o.DryRun {
		return m.bulk.Add(ctx, m.request(r))
	}
	env, before, err := m.bulk.Preview(ctx, m.request(r))
	if env != nil {
		m.wouldQueue(m.p, where, env)
	}
	return before, err
}

func (m *importing) request(r io.Reader) intake.Request {
	return intake.Request{Sender: m.o.Sender, Ref: m.o.Ref, Expires: m.o.Expires, Body: r}
}
