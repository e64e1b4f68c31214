package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"notices/spool"
)

// inMemory is how much of a body is kept in memory; a longer one is written into the folder, where
// it is at hand if the database loses the connection in mid-message.
const inMemory = 256 << 10

// draft keeps a body until it is known which store takes it.
type draft struct {
	s    *Store
	ctx  context.Context
	id   spool.ID
	head []byte      // all of the body, as long as body is nil
	body spool.Draft // a draft of the folder that has it
	// direct: body is a draft of the database, because the folder could not take it. Then only the
	// database can queue it.
	direct bool
	size   int64
	env    *spool.Envelope // sealed
	events []spool.Event
	over   bool
}

func (d *draft) ID() spool.ID { return d.id }

func (d *draft) Len() int64 { return d.size }

var errSealed = errors.New("the draft is sealed, or over")

func (d *draft) Write(p []byte) (n int, err error) {
	if d.over || d.env != nil {
		return 0, errSealed
	}
	defer func() { d.size += int64(n) }()
	if d.body == nil && len(d.head)+len(p) <= inMemory {
		d.head = append(d.head, p...)
		return len(p), nil
	}
	if d.body == nil {
		err = d.intoFolder()
	}
	if err == nil && !d.direct {
		n, err = d.body.Write(p)
	}
	if err != nil || d.direct {
		if n, err = d.writeDirect(p, err); err != nil {
			return n, err
		}
	}
	return n, nil
}

// intoFolder writes what is in memory into the folder.
func (d *draft) intoFolder() error {
	folder, err := d.s.openFolder(d.ctx)
	if err == nil {
		err = d.begin(folder)
	}
	return err
}

// begin makes a draft of what there is so far.
func (d *draft) begin(to Target) error {
	next, err := to.New(d.ctx, d.id)
	if err != nil {
		return err
	}
	if err = copyInto(next, d, d.size); err != nil {
		return errors.Join(err, next.Abort())
	}
	if d.body != nil {
		_ = d.body.Abort() // what it cannot remove is swept
	}
	d.body, d.head = next, nil
	return nil
}

// writeDirect goes on in the database when the folder cannot take the body.
func (d *draft) writeDirect(p []byte, why error) (int, error) {
	if !d.direct {
		db, err := d.s.openDatabase(d.ctx)
		if err == nil {
			err = d.begin(db)
		}
		if err != nil {
			return 0, fmt.Errorf("%w; %s: %w", err, cannotTake, why)
		}
		d.direct = true
	}
	return d.body.Write(p)
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	if d.body != nil {
		return io.NewSectionReader(d.body, 0, d.size).ReadAt(p, off)
	}
	return bytes.NewReader(d.head).ReadAt(p, off)
}

func (d *draft) Seal(env spool.Envelope, events ...spool.Event) error {
	switch {
	case d.over || d.env != nil:
		return errSealed
	case env.ID != d.id:
		return fmt.Errorf("the envelope is that of %q, and the draft is %q", env.ID, d.id)
	}
	env.Size = d.size
	d.env, d.events = &env, events
	return nil
}

// forDatabase makes the draft that is committed in the database.
func (d *draft) forDatabase(ctx context.Context, db Target) (spool.Draft, error) {
	if d.direct {
		return d.body, d.body.Seal(d.s.marked(*d.env), d.events...)
	}
	to, err := db.New(ctx, d.id)
	if err != nil {
		return nil, err
	}
	if err = copyInto(to, d, d.size); err == nil {
		err = to.Seal(d.s.marked(*d.env), d.events...)
	}
	if err != nil {
		_ = to.Abort() // what it cannot remove is swept
		return nil, err
	}
	return to, nil
}

// forFolder makes the draft that is committed in the folder.
func (d *draft) forFolder(_ context.Context, folder Target) (spool.Draft, error) {
	if d.body == nil {
		if err := d.begin(folder); err != nil {
			return nil, err
		}
	}
	return d.body, d.body.Seal(*d.env, d.events...)
}

// Abort drops the draft. Harmless after Commit.
func (d *draft) Abort() error {
	if d.over {
		return nil
	}
	d.over, d.head = true, nil
	if d.body != nil {
		return d.body.Abort()
	}
	return nil
}
