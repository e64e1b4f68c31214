package mailbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"notices/spool"
)

// MaxMessage is how many octets of a message are fetched. A return has its status before the
// message that it returns.
const MaxMessage = 1 << 20

// Server is where the mailbox is, and how to log in.
type Server struct {
	Host     string
	Port     int
	Implicit bool // TLS begins with the first octet; else by STARTTLS
	Roots    *x509.CertPool
	Login    string
	// Password or Tokens gives the secret.
	Password func(context.Context) (string, error)
	Tokens   TokenSource
	// SecretKey is the key of the config that gives the secret, for advice.
	SecretKey string
	Timeout   time.Duration // of a step
	Now       func() time.Time
	// Dial connects; nil: by TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// TokenSource gives access tokens. Refresh returns another one than stale, which the server
// refused.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
	Refresh(ctx context.Context, stale string) (string, error)
}

// Verdict is what becomes of a message that was read.
type Verdict int

// Verdicts.
const (
	Leave Verdict = iota // it stays as it is
	Done                 // it is flagged as seen, and moved
	// Again: it stays as it is, and later runs read it again, because the message that it
	// reports may not have left the queue yet.
	Again
)

// Sink takes the messages. Take looks at one; its error ends the run. Commit makes durable what
// was found since the last one, and returns a verdict for each message in the order of Take.
type Sink interface {
	Take(r io.Reader) error
	Commit(ctx context.Context) ([]Verdict, error)
}

// Reading is one run over a folder.
type Reading struct {
	Server Server
	Folder string
	MoveTo string // where messages that are Done are moved to; empty: nowhere
	State  spool.State
	Sink   Sink
	// Peek changes nothing: not the mailbox, and not what is remembered of it.
	Peek bool
}

// batch is how many messages are fetched, and committed, at once.
const batch = 100

// A message that is to be read again is forgotten after againFor, and at most maxAgain of them
// are remembered. By then the message that it is about has left the queue.
const (
	againFor = 7 * 24 * time.Hour
	maxAgain = 1000
)

// StateName is the value of the spool that says how far the mailbox was read.
const StateName = "bounces-mailbox"

// position is how far it was read.
type position struct {
	Host        string `json:"host"`
	Login       string `json:"login"`
	Folder      string `json:"folder"`
	UIDValidity uint32 `json:"uid_validity"`
	UID         uint32 `json:"uid"` // the highest that was read
	// Again are the messages that are read again, and since when.
	Again map[uint32]time.Time `json:"again,omitempty"`
}

func (p *position) of(q *position) bool {
	return p.Host == q.Host && p.Login == q.Login && p.Folder == q.Folder && p.UIDValidity == q.UIDValidity
}

// Run reads the folder and returns how many messages were read. An *Error is about the
// server; other errors are those of the sink, of the state, or ctx's.
func (r *Reading) Run(ctx context.Context) (read int, err error) {
	s, err := open(ctx, &r.Server)
	if err != nil {
		return 0, err
	}
	defer s.close(ctx)
	f, err := s.choose(ctx, r.Folder, r.Peek)
	if err != nil {
		return 0, err
	}
	at, uids, err := r.search(ctx, f)
	if err != nil {
		return 0, err
	}
	again := slices.Sorted(maps.Keys(at.Again))
	var trouble troubles
	for uids := range slices.Chunk(append(again, uids...), batch) {
		n, err := r.batch(ctx, f, at, uids, &trouble)
		if read += n; err != nil {
			return read, err
		}
	}
	return read, cmp.Or(trouble.marking, trouble.unread)
}

// search finds what to read: what is new since the last run of this folder, or what is not
// seen. Where a first run begins is remembered before anything is flagged: one that is cut
// would leave messages that are seen, and neither moved nor read again.
func (r *Reading) search(ctx context.Context, f *folder) (*position, []uint32, error) {
	at := &position{Host: r.Server.Host, Login: r.Server.Login, Folder: r.Folder, UIDValidity: f.uidValidity}
	last, err := spool.LoadState[position](ctx, spool.Lenient(r.State, func(string, error) {}), StateName)
	if err != nil {
		return nil, nil, err
	}
	if last.of(at) {
		now := r.Server.Now()
		maps.DeleteFunc(last.Again, func(_ uint32, since time.Time) bool { return now.Sub(since).Abs() > againFor })
		uids, err := f.search(ctx, last.UID, false)
		return &last, uids, err
	}
	uids, err := f.search(ctx, 0, true)
	switch {
	case err != nil:
		return nil, nil, err
	case len(uids) > 0:
		at.UID = uids[0] - 1
	case f.uidNext > 0:
		at.UID = f.uidNext - 1
	default:
		return at, nil, nil
	}
	return at, uids, r.remember(ctx, at)
}

func (r *Reading) remember(ctx context.Context, at *position) error {
	if r.Peek {
		return nil
	}
	return spool.UpdateState(context.WithoutCancel(ctx), r.State, StateName, false, func(p *position) error {
		*p = *at
		return nil
	})
}

// troubles do not end a run. It fails in the end.
type troubles struct {
	marking error // the last error in flagging and moving
	unread  error // messages that the server did not hand out
}

// batch reads some messages. If they cannot be marked, that is noted and the
// position stays, so that the next run does it; but what others say is still read.
func (r *Reading) batch(ctx context.Context, f *folder, at *position, uids []uint32, trouble *troubles) (read int, err error) {
	taken, missing, err := f.fetch(ctx, uids, func(message []byte) error { return r.Sink.Take(bytes.NewReader(message)) })
	if err != nil {
		return 0, err
	}
	if len(missing) > 0 {
		trouble.unread = f.fail(Broken, fmt.Sprintf("reading the mail: the server did not hand out %d of the messages that it has, such as UID %d; the next runs ask for them again", len(missing), missing[0]), nil)
	}
	verdicts, err := r.Sink.Commit(ctx)
	if err != nil || r.Peek {
		return len(taken), err
	}
	var done []uint32
	next := &position{at.Host, at.Login, at.Folder, at.UIDValidity, max(at.UID, slices.Max(uids)), maps.Clone(at.Again)}
	for _, uid := range uids {
		delete(next.Again, uid)
	}
	for _, uid := range missing {
		if next.again(uid, at.Again[uid], r.Server.Now()); len(next.Again) > maxAgain {
			return len(taken), trouble.unread
		}
	}
	for i, uid := range taken {
		switch {
		case verdicts[i] == Done:
			done = append(done, uid)
		case verdicts[i] == Again && len(next.Again) < maxAgain:
			next.again(uid, at.Again[uid], r.Server.Now())
		}
	}
	if err := f.mark(ctx, done, r.MoveTo); err != nil {
		if f.lost() || ctx.Err() != nil {
			return len(taken), err
		}
		trouble.marking = err
	}
	if trouble.marking != nil {
		return len(taken), nil
	}
	*at = *next
	return len(taken), r.remember(ctx, at)
}

func (p *position) again(uid uint32, since, now time.Time) {
	if p.Again == nil {
		p.Again = map[uint32]time.Time{}
	}
	if since.IsZero() {
		since = now.UTC().Truncate(time.Second)
	}
	p.Again[uid] = since
}
