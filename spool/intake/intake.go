package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"notices/spool"
	"notices/spool/intake/mailaddr"
	"notices/spool/intake/mbox"
	"notices/spool/internal/piece"
	"notices/spool/maillog"
)

// Site is who sends, as in [site] of the config.
type Site struct {
	Name    string
	Address string // default sender; may be empty
	// FindHostname finds this host's name, or an address literal, when one is needed, as for a
	// Message-ID; it must not be slow. Without it, or if it returns "", the domain of Address
	// is used.
	FindHostname func() string
	// RewriteFrom replaces both From and the envelope sender with Address.
	RewriteFrom bool
	// Admin gets mail for this machine's own users that no alias sends elsewhere; empty:
	// it goes to the domain of Address.
	Admin string
}

// Store is the part of spool.Store that mail is taken in with.
type Store interface {
	New(ctx context.Context, id spool.ID) (spool.Draft, error)
	Commit(ctx context.Context, drafts ...spool.Draft) (n int, err error)
}

// Intake stores messages. It is safe for concurrent use.
type Intake struct {
	Store   Store
	Site    Site
	MaxSize int64            // [spool] max_message_size, in octets as given; 0: no limit
	Now     func() time.Time // nil: time.Now
	Log     *maillog.Log     // nil: silent
	// Aliases is the file that says who reads the mail of names without a domain, in the
	// form of aliases(5); or empty.
	Aliases string
	// LocalNames are the domains that mean this machine in an address. nil:
	// localhost and localhost.localdomain.
	LocalNames func() []string
	// Users is the file that says who this machine's users are, in the form of passwd(5).
	Users string
}

// Request is one message and what was said about it.
type Request struct {
	// Sender is the envelope sender; nil: the site's address; "" or "<>": the null sender.
	Sender *string
	// Recipients are addresses, not a list in header syntax; empty: from the header.
	Recipients []string
	// FromHeader adds those of the header to Recipients (sendmail -t).
	FromHeader bool
	Ref        string
	Expires    time.Duration // from now; 0: [retry] give_up decides
	Body       io.Reader     // the message

	// Qualify treats names without @ in Recipients as names of this machine, as sendmail
	// does: they go where Aliases say, else to the domain of the site's address. Names in the
	// header are always qualified.
	Qualify bool
	// FromSender uses Sender, if it is given, as the generated From (sendmail).
	FromSender bool
	// Lenient lets the body begin where no header field does, instead of refusing it.
	Lenient bool
	// ReturnBad takes a malformed recipient beside good ones, as Postfix does: the first
	// attempt returns it to the sender. Without it, nothing is queued.
	ReturnBad bool
	// FullName is the name in a generated From (sendmail -F); empty: the site's name.
	FullName string
	// DSN is what the sender wants to be told (sendmail -N, -R, -V; SMTP). Its lists are
	// for Recipients, one by one; those that an alias names instead get the same.
	DSN spool.DSNParams

	// Hosted is set for the mail of a site at a service.
	Hosted *Hosted

	// ID and QueuedAt are those of a message that was taken in before and handed in (package
	// drop); empty for a new one. Such a message must be canonical, so that nothing in it
	// has to be re-encoded.
	ID       spool.ID
	QueuedAt time.Time

	// importKeys, unless it is nil, is asked when all of the body was read: for the keys of a
	// message that is imported, or why it is not to be queued.
	importKeys func() ([]spool.ImportKey, error)
}

// RequestOf is the request for a message that was taken in before with that envelope.
func RequestOf(e spool.Envelope, body io.Reader) Request {
	r := Request{ID: e.ID, QueuedAt: e.QueuedAt, Sender: &e.Sender, Recipients: e.Recipients, Ref: e.Ref, DSN: e.DSNParams, Body: body}
	if !e.ExpiresAt.IsZero() {
		r.Expires = e.ExpiresAt.Sub(e.QueuedAt)
	}
	return r
}

// errDiscarded: an alias sends the message to /dev/null.
var errDiscarded = errors.New("the message is discarded")

// Accept stores a message. If it returns no error the message is durable, or an alias
// discarded it. Otherwise nothing was stored, except that spool.ErrUnsure says that this is
// unknown. What is wrong with the request is an *Error; errors of Body and Store are passed
// on, wrapped.
func (in *Intake) Accept(ctx context.Context, r Request) (spool.ID, error) {
	d, env, err := in.Draft(ctx, r)
	if err == errDiscarded {
		return env.ID, nil
	}
	if err != nil {
		return "", err
	}
	if _, err := in.Store.Commit(ctx, d); err != nil {
		_ = d.Abort() // what it cannot remove is swept
		return "", fmt.Errorf("message %s: %w", env.ID, err)
	}
	in.Log.Queued(env)
	return env.ID, nil
}

// Draft makes a sealed draft, for a caller that commits many at once, and returns the
// envelope that was sealed, for the log. The caller commits the draft or aborts it.
// errDiscarded: there is nothing to commit.
func (in *Intake) Draft(ctx context.Context, r Request) (spool.Draft, *spool.Envelope, error) {
	m := in.message(ctx, r)
	d, err := m.run()
	if err == errDiscarded {
		in.Log.Discarded(m.env.ID, "its recipients lead to /dev/null")
	}
	if err != nil {
		m.out.abort()
	}
	return d, &m.env, err
}

// CheckRequest reports, as an *Error, what is wrong with a request whatever its message
// is, for those who know sender and recipients before the message.
func (in *Intake) CheckRequest(r Request) error {
	return in.message(context.Background(), r).arguments()
}

func (in *Intake) message(ctx context.Context, r Request) *message {
	if r.Hosted != nil {
		in = in.hosted(r.Hosted)
	}
	m := &message{in: in, r: r, ctx: ctx, now: r.QueuedAt, local: localNames{in: in, bare: r.Qualify}, domain: in.Site.domain}
	switch {
	case !m.now.IsZero():
	case in.Now != nil:
		m.now = in.Now()
	default:
		m.now = time.Now()
	}
	return m
}

// message is one message on its way in.
type message struct {
	in  *Intake
	r   Request
	ctx context.Context
	now time.Time
	env spool.Envelope
	out *output
	to  recipients

	local  localNames
	domain mailaddr.Domain // what a name without a domain gets
}

func (m *message) run() (spool.Draft, error) {
	if m.env.ID = m.r.ID; m.env.ID == "" {
		m.env.ID = spool.NewID(m.now)
	}
	m.env.QueuedAt = m.now.UTC().Truncate(time.Second)
	m.out = &output{ctx: m.ctx, store: m.in.Store, id: m.env.ID}
	if err := m.arguments(); err != nil {
		return nil, err
	}
	src := &input{ctx: m.ctx, r: m.r.Body, max: m.in.MaxSize, piece: piece.Get()}
	defer piece.Put(src.piece)
	h, err := src.header(m.r.Lenient)
	if err != nil {
		return nil, err
	}
	if err := m.header(h, len(src.buf)); err != nil {
		return nil, err
	}
	b := &body{out: m.out, lines: h.lines}
	second := mbox.SecondMessage{Line: h.lines}
	err = src.each(func(piece []byte) error {
		if h.mbox && second.Found(piece) {
			return errSecond(second.Line)
		}
		return b.add(piece)
	})
	if err != nil {
		return nil, err
	}
	if err := b.end(); err != nil {
		return nil, err
	}
	if err := m.recode(b); err != nil {
		return nil, err
	}
	return m.seal()
}

// seal writes what is left of the message, and its envelope.
func (m *message) seal() (spool.Draft, error) {
	if err := m.out.flush(); err != nil {
		return nil, err
	}
	if m.env.ID = m.out.id; m.r.Hosted != nil {
		if err := m.r.Hosted.sender(m); err != nil {
			return nil, err
		}
	}
	m.env.Size = m.out.draft.Len()
	m.env.EightBit = m.out.eightBit
	if m.r.importKeys != nil {
		var err error
		if m.env.ImportKeys, err = m.r.importKeys(); err != nil {
			return nil, err
		}
	}
	if err := m.out.draft.Seal(m.env); err != nil {
		return nil, fmt.Errorf("writing the message: %w", err)
	}
	return m.out.draft, nil
}
