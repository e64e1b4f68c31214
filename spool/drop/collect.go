package drop

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maillog"
)

// Collector moves what users handed in into the store. It runs as the spool's user, or as
// root.
type Collector struct {
	Dir   string // the spool
	Store spool.Store
	// Accept has intake check a message again, and makes a sealed draft of it under its ID.
	// Returns go to Sender; whether [site] rewrite_from replaces it is decided anew.
	// ErrRefused: the message is at fault.
	Accept  func(ctx context.Context, handedIn spool.Envelope, body io.Reader) (spool.Draft, *spool.Envelope, error)
	MaxSize int64            // of a message, in octets; 0: no limit
	Log     *maillog.Log     // nil: silent
	Now     func() time.Time // nil: time.Now

	fs         fsys.FS // tests: instead of Dir
	clearLimit int     // tests: instead of clearLimit and clearTime
}

// MaxSize is the longest message that is collected when limit octets may be handed in. The
// limit counts what was given: line ends become two octets, long lines are encoded.
func MaxSize(limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	return 3*limit + 4<<20
}

// Messages that share syncs. Each has two files open and its envelope in memory.
const (
	batch       = 64
	batchOctets = 8 << 20 // of envelopes
)

// maxPostponed is how many messages the store may fail to take before a run asks it no
// more. One may be longer than the room that is left, and the next one fits.
const maxPostponed = 10

// run collects once.
type run struct {
	c         *Collector
	fs        fsys.FS
	lock      fsys.File // of the folder; nil: not locked
	gid       uint32
	now       time.Time
	ready     []*message
	readySize int64 // octets of their envelopes
	postponed int   // messages that the store did not take
	cleaner   *cleaner
	known     known
}

// Collect waits for its turn and collects all that is there. Until end is called no other
// Collect begins: the caller lists the spool before. It then calls end, with due if it is
// going to attempt anything that it listed. After an error, of either, nothing may be
// attempted.
//
// What is wrong with the drop, or with something in it, is written to the log.
func (c *Collector) Collect(ctx context.Context) (end func(due bool) error, err error) {
	r := &run{c: c, fs: c.fs, now: time.Now()}
	if c.Now != nil {
		r.now = c.Now()
	}
	if r.fs == nil {
		if r.fs, err = fsys.Open(c.Dir); err != nil {
			return nil, err
		}
	}
	r.cleaner = &cleaner{fs: r.fs, log: c.Log, now: r.now, userNames: map[uint32]string{}, kept: -1, limit: clearLimit, time: clearTime}
	if c.clearLimit > 0 {
		r.cleaner.limit, r.cleaner.time = c.clearLimit, time.Hour
	}
	_, st, err := examine(r.fs, c.Dir)
	nothing := func(bool) error { return nil }
	if problem := (*Problem)(nil); errors.As(err, &problem) {
		c.Log.Trouble(Name, problem)
		return nothing, r.close()
	}
	if err != nil {
		return nothing, errors.Join(ignoreMissing(err), r.close())
	}
	r.gid = st.GID
	if err = r.lockFolder(ctx); err == nil {
		err = r.collectAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return func(due bool) (err error) {
		if due {
			err = r.fs.SyncDir(Name)
		}
		return errors.Join(err, r.close())
	}, nil
}

func (r *run) close() (err error) {
	if r.lock != nil {
		err = r.lock.Close()
	}
	if r.c.fs == nil {
		err = errors.Join(err, r.fs.Close())
	}
	return err
}

// lockFolder waits for the lock of the folder. flock(2) cannot be told to stop waiting.
func (r *run) lockFolder(ctx context.Context) (err error) {
	if r.lock, err = r.fs.Open(Name, unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
		r.lock = nil
		return err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if err = r.lock.Lock(false); !errors.Is(err, fsys.ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// collectAll collects what one listing shows. What the store does not take waits for the
// next run, but its files that are stored already must be removed in any case.
func (r *run) collectAll(ctx context.Context) error {
	names, others, err := r.list()
	r.cleaner.until = time.Now().Add(r.cleaner.time)
	for i := 0; i < len(others) && err == nil && !r.cleaner.enough(); i++ {
		r.cleaner.foreign(others[i], notOurName)
		err = ctx.Err()
	}
	if err == nil {
		r.known, err = r.c.lookUp(ctx, r.now, names[:min(len(names), visitFactor*r.cleaner.limit)])
	}
	visited := 0
	for ; visited < min(len(names), visitFactor*r.cleaner.limit) && err == nil && r.postponed < maxPostponed; visited++ {
		if err = r.collect(ctx, names[visited]); err == nil && (len(r.ready) == batch || r.readySize > batchOctets) {
			err = r.commit(ctx)
		}
	}
	if err == nil {
		err = r.commit(ctx)
	}
	for len(r.ready) > 0 {
		r.dropFirst()
	}
	if err == nil && (r.postponed > 0 || visited < len(names)) {
		err = r.clearStored(ctx, names)
	}
	if more := r.cleaner.logged - maxLogged; more > 0 {
		r.c.Log.Aside(spool.Anomaly{Name: Name, Why: fmt.Sprintf("%d more files are no messages", more)})
	}
	return err
}

// list gives the names that messages have, or a file had before it was swept, and of all
// others as many as a run clears away.
func (r *run) list() (names, others []string, err error) {
	seen := 0
	err = r.fs.List(Name, func(name []byte) bool {
		if isMessageName(bytes.TrimPrefix(name, []byte(sweepPrefix))) {
			names = append(names, string(name))
			return true
		}
		if seen++; len(others) < r.cleaner.limit {
			others = append(others, string(name))
		} else if i := rand.IntN(seen); i < r.cleaner.limit {
			others[i] = string(name)
		}
		return true
	})
	if len(names) > visitFactor*r.cleaner.limit {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return names, others, err
}

// collect makes a draft of one file, or clears it away.
func (r *run) collect(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m, err := r.openMessage(name)
	if m == nil {
		return err
	}
	defer m.file.Close()
	if known, err := r.known.has(ctx, r, m); known {
		return err
	}
	m.draft, m.sealed, err = r.c.Accept(ctx, r.forIntake(m.env), m.body)
	// What is wrong with the file is judged first: the rest follows from it.
	switch id, wrong := string(m.env.ID), m.body.check(); {
	case ctx.Err() != nil:
	case m.body.err != nil, err == nil && wrong != nil:
		r.cleaner.foreign(id, wrong.Error())
	case errors.Is(err, ErrRefused):
		r.cleaner.refuse(id, m.uid, err.Error())
	case err != nil:
		r.postpone(m.env.ID, err)
	default:
		r.ready, r.readySize = append(r.ready, m), r.readySize+int64(len(m.body.envelope))
		return nil
	}
	if m.draft != nil {
		_ = m.draft.Abort() // what it cannot remove is swept
	}
	return ctx.Err()
}

// postpone says that a message stays where it is.
func (r *run) postpone(id spool.ID, err error) {
	if r.postponed++; r.postponed == 1 {
		r.c.Log.Trouble(path(string(id))+" waits", err)
	}
}

// forIntake is the envelope for intake. A queueing time in the future, or before 1970, becomes
// now; otherwise the message would not grow old.
func (r *run) forIntake(e spool.Envelope) spool.Envelope {
	e.Sender, e.ReturnTo = cmp.Or(e.ReturnTo, e.Sender), ""
	if e.QueuedAt.After(r.now) || e.QueuedAt.Unix() < 0 {
		if !e.ExpiresAt.IsZero() {
			e.ExpiresAt = r.now.Add(e.ExpiresAt.Sub(e.QueuedAt))
		}
		e.QueuedAt = r.now
	}
	return e
}

// unlink removes a file. It is not an error if its user has removed it already.
func unlink(d fsys.FS, name string) error { return ignoreMissing(d.Unlink(path(name))) }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
