package drop

import (
	"bytes"
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

// Letter is a message as a user handed it in, for intake to check again.
type HandedIn struct {
	ID              spool.ID
	Sender          string // the one that returns go to; empty: the null sender
	Recipients      []string
	Ref             string
	QueuedAt        time.Time
	Expires         time.Duration // from QueuedAt; 0: [retry] give_up decides
	spool.DSNParams               // as in the envelope
	Body            io.Reader
}

// Taker takes over what users handed in. It runs as the spool's user, or as root.
type Taker struct {
	Dir   string // the spool
	Store spool.Store
	// Accept makes a sealed draft of a letter, under its ID. ErrRefused: the letter is
	// at fault.
	Accept  func(context.Context, HandedIn) (spool.Draft, *spool.Envelope, error)
	MaxSize int64            // of a message, in octets; 0: no limit
	Log     *maillog.Log     // nil: silent
	Now     func() time.Time // nil: time.Now

	fs    fsys.FS // tests: instead of Dir
	bound int     // tests: instead of clearing
}

// MaxSize is the longest message that is taken over when max octets may be handed in,
// which counts what was given: line ends become two octets, long lines are encoded.
func MaxSize(limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	return 3*limit + 4<<20
}

// stale is when a file that is still being written was left behind by its writer.
const stale = 24 * time.Hour

// batch is how many messages share syncs. Each has two files open, and its envelope is in
// memory: batchOctets bounds those.
const (
	batch       = 64
	batchOctets = 8 << 20
)

// run is one taking over.
type run struct {
	*Taker
	fs       fsys.FS
	gid      uint32
	now      time.Time
	ready    []taken
	held     int64             // octets of their envelopes
	stuck    int               // messages that the store did not take
	names    map[uint32]string // of users
	named    int               // files in the log
	bound    int               // of what is cleared away,
	until    time.Time         // and when it is enough
	patience time.Duration
	junk     int // what was cleared away
	kept     int // files that this and earlier runs moved to aside/; -1: not counted yet
}

// taken is a message that has its draft.
type taken struct {
	*letter
	uid    uint32
	draft  spool.Draft
	sealed *spool.Envelope
}

// Take waits for its turn and takes over all that is there. Until end is called no
// other Take begins: the caller lists the spool before. It then calls end, with due if
// it is going to attempt anything that it listed. An error, of either, means that
// nothing may be attempted.
//
// What is wrong with the drop, or with something in it, is said in the log.
func (t *Taker) Take(ctx context.Context) (end func(due bool) error, err error) {
	none := func(bool) error { return nil }
	r := &run{Taker: t, fs: t.fs, now: time.Now(), names: map[uint32]string{}, kept: -1, bound: clearing, patience: patience}
	if t.bound > 0 {
		r.bound, r.patience = t.bound, time.Hour
	}
	if t.Now != nil {
		r.now = t.Now()
	}
	if r.fs == nil {
		if r.fs, err = fsys.Open(t.Dir); err != nil {
			return nil, err
		}
	}
	_, st, err := look(r.fs, t.Dir)
	if problem := (*Problem)(nil); errors.As(err, &problem) {
		t.Log.Trouble(Name, problem)
		return none, r.close(nil)
	}
	if err != nil {
		return none, errors.Join(ignoreMissing(err), r.close(nil))
	}
	r.gid = st.GID
	lock, err := r.lock(ctx)
	if err == nil {
		err = r.all(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.close(lock))
	}
	return func(due bool) (err error) {
		if due {
			err = r.fs.SyncDir(Name)
		}
		return errors.Join(err, r.close(lock))
	}, nil
}

func (r *run) close(lock fsys.File) (err error) {
	if lock != nil {
		err = lock.Close()
	}
	if r.Taker.fs == nil {
		err = errors.Join(err, r.fs.Close())
	}
	return err
}

// lock waits for the lock of the folder. flock(2) cannot be told to stop waiting.
func (r *run) lock(ctx context.Context) (fsys.File, error) {
	f, err := r.fs.Open(Name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err = f.Lock(false)
		if !errors.Is(err, fsys.ErrLocked) {
			break
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// all takes over what one listing shows. What the store does not take waits for the
// next run; but what of it is stored already must go all the same.
func (r *run) all(ctx context.Context) error {
	names, others, err := r.list()
	r.until = time.Now().Add(r.patience)
	for i := 0; i < len(others) && err == nil && !r.tired(); i++ {
		r.strange(others[i], "its name is not one that notices gives")
		err = ctx.Err()
	}
	visited := 0
	for ; visited < min(len(names), visits*r.bound) && err == nil && r.stuck < enough; visited++ {
		if err = r.one(ctx, names[visited]); err == nil && (len(r.ready) == batch || r.held > batchOctets) {
			err = r.commit(ctx)
		}
	}
	if err == nil {
		err = r.commit(ctx)
	}
	r.abort()
	if err == nil && (r.stuck > 0 || visited < len(names)) {
		err = r.leftOver(ctx, names)
	}
	if r.named > told {
		r.Log.Aside(spool.Anomaly{Name: Name, Why: fmt.Sprintf("%d more files are no messages", r.named-told)})
	}
	return err
}

// What a run does at most about what others put there: names that it clears away, and how many
// times as many it looks at. Which of more it is, is drawn, so that mail behind them is found
// soon.
const (
	clearing = 10_000
	visits   = 5
	atLeast  = 100
	patience = 300 * time.Millisecond // removing can cost a millisecond, on a busy disk
)

// tired: the rest of what is to be cleared away waits for the next run.
func (r *run) tired() bool {
	return r.junk >= r.bound || r.junk >= atLeast && time.Now().After(r.until)
}

// list gives the names that messages have, or a file had before it was swept, and of all
// others as many as a run clears away.
func (r *run) list() (names, others []string, err error) {
	seen := 0
	err = r.fs.List(Name, func(name []byte) bool {
		if plainName(bytes.TrimPrefix(name, []byte(sweeping))) {
			names = append(names, string(name))
			return true
		}
		if seen++; len(others) < r.bound {
			others = append(others, string(name))
		} else if i := rand.IntN(seen); i < r.bound {
			others[i] = string(name)
		}
		return true
	})
	if len(names) > visits*r.bound {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return names, others, err
}

// enough is how many messages a store need not take to be asked no more. One may be
// longer than the room that is left, and the next one fits.
const enough = 10

// wait says that a message stays where it is.
func (r *run) wait(id spool.ID, err error) {
	if r.stuck++; r.stuck == 1 {
		r.Log.Trouble(path(string(id))+" waits", err)
	}
}

func (r *run) abort() {
	for _, m := range r.ready {
		_ = m.draft.Abort() // what it cannot remove is swept
	}
	r.ready = nil
}

// one makes a draft of one file, or does with it what is to be done.
func (r *run) one(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m, err := r.read(name)
	if m == nil {
		return err
	}
	defer m.close()
	m.draft, m.sealed, err = r.Accept(ctx, r.letter(&m.env, m.body))
	// What is wrong with the file is judged first: the rest follows from it.
	switch wrong := m.body.check(); {
	case ctx.Err() != nil:
	case m.body.err != nil, err == nil && wrong != nil:
		r.strange(m.name, wrong.Error())
	case errors.Is(err, ErrRefused):
		r.refused(m.name, m.uid, err.Error())
	case err != nil:
		r.wait(m.env.ID, err)
	default:
		r.ready, r.held = append(r.ready, m.taken), r.held+int64(len(m.body.tail))
		return nil
	}
	if m.draft != nil {
		_ = m.draft.Abort() // what it cannot remove is swept
	}
	return ctx.Err()
}

// letter is what intake is to look at. Returns go to the sender that the user named:
// whether [site] rewrite_from takes his place is for this run to say. A time to come
// is now, or the message would not grow old; and so is one that no clock shows.
func (r *run) letter(e *spool.Envelope, body io.Reader) HandedIn {
	l := HandedIn{
		ID: e.ID, Sender: e.Sender, Recipients: e.Recipients, Ref: e.Ref, QueuedAt: e.QueuedAt,
		DSNParams: e.DSNParams, Body: body,
	}
	if e.ReturnTo != "" {
		l.Sender = e.ReturnTo
	}
	if !e.ExpiresAt.IsZero() {
		l.Expires = e.ExpiresAt.Sub(e.QueuedAt)
	}
	if l.QueuedAt.After(r.now) || l.QueuedAt.Unix() < 0 {
		l.QueuedAt = r.now
	}
	return l
}

func (r *run) unlink(name string) error {
	err := r.fs.Unlink(path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its user was faster
	}
	return err
}

func (r *run) userName(uid uint32) string {
	name, known := r.names[uid]
	if !known {
		name = nameIn(passwdFile, uid)
		r.names[uid] = name
	}
	return name
}
