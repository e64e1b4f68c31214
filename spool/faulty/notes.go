package faulty

import (
	"context"
	"fmt"
	"time"

	"notices/spool"
)

// Notebook implements spool.Noted, if the store that is wrapped does. Commit of several
// drafts counts as so many calls here too.
func (f *Store) Notebook(ctx context.Context, since time.Time) (b spool.Notebook, err error) {
	noted, ok := f.inner.(spool.Noted)
	if !ok {
		return nil, fmt.Errorf("storetest: %T keeps no notes", f.inner)
	}
	err = f.do(Call{Method: "Notebook"}, func() error {
		inner, err := noted.Notebook(ctx, since)
		b = &notebook{f, inner}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

type notebook struct {
	f     *Store
	inner spool.Notebook
}

func (b *notebook) Has(n spool.Note) bool { return b.inner.Has(n) }

func (b *notebook) New(ctx context.Context, id spool.ID) (d spool.Draft, err error) {
	err = b.f.do(Call{Method: "Notebook.New", ID: id}, func() error {
		inner, err := b.inner.New(ctx, id)
		d = &draft{b.f, inner}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (b *notebook) Commit(ctx context.Context, notes [][]spool.Note, drafts ...spool.Draft) (int, error) {
	for n, d := range drafts {
		err := b.f.do(Call{Method: "Notebook.Commit", ID: d.ID()}, func() error {
			if own, ok := d.(*draft); ok {
				d = own.inner
			}
			_, err := b.inner.Commit(ctx, notes[n:n+1], d)
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return len(drafts), nil
}

// Close by a living process is carried out even when it is to fail, as Release is.
func (b *notebook) Close() error {
	v := b.f.count(Call{Method: "Notebook.Close"})
	if v.err == nil {
		return b.inner.Close()
	}
	if v.late || !b.f.isDead() {
		_ = b.inner.Close()
	}
	return v.err
}
