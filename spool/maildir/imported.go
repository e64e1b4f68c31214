package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
)

// Imported locks import and gathers the keys of imported messages, in the order in which
// messages move: from the sidecars in cur and failed, from those in import, and from the
// journal. So it misses no message that leaves while it reads.
func (s *Store) Imported(ctx context.Context, since time.Time) (map[spool.ImportKey]struct{}, func() error, error) {
	var lock fsys.File
	err := s.folders.ensure(func() (err error) {
		lock, err = s.folders.Open(imports.Dir+"/lock", unix.O_RDWR|unix.O_CREAT, 0o600)
		return err
	})
	if err != nil {
		return nil, nil, notASpool(err)
	}
	g := &keyReader{
		folders: s.folders, journal: &s.soon.journal, ctx: ctx, since: since,
		keys: map[spool.ImportKey]struct{}{}, lines: map[lines.Checksum]struct{}{}, void: map[spool.ID]bool{},
	}
	if err = lock.Lock(false); err == nil {
		err = g.all()
	}
	if errors.Is(err, fsys.ErrLocked) {
		err = fmt.Errorf("another import is running: %w", spool.ErrBusy)
	}
	if err != nil {
		lock.Close()
		return nil, nil, err
	}
	return g.keys, lock.Close, nil
}

// movedID stands in the journal for the messages of another spool.
const movedID = "moved"

// AddImported adds keys to the journal, in lines that are not too long to be read.
func (s *Store) AddImported(_ context.Context, keys ...spool.ImportKey) error {
	if len(keys) == 0 {
		return nil
	}
	var left []imports.Message
	for some := range slices.Chunk(keys, 100) {
		left = append(left, imports.Message{ID: movedID, Keys: some})
	}
	err := s.folders.ensure(func() error { return s.soon.journal.Append(left, true) })
	return errors.Join(err, s.folders.SyncDir(imports.Dir))
}

// keyReader is an Imported under way.
type keyReader struct {
	folders folders
	journal *imports.Journal
	ctx     context.Context
	since   time.Time
	keys    map[spool.ImportKey]struct{}
	lines   map[lines.Checksum]struct{} // hashes of the ids that the journal has lines of
	void    map[spool.ID]bool           // what an import of an older version died over
}

func (g *keyReader) add(keys []spool.ImportKey) {
	for _, key := range keys {
		g.keys[key] = struct{}{}
	}
}

// all reads the journal first as well, since a message with a line there need not be opened,
// and failed twice, since messages move both ways between it and cur.
func (g *keyReader) all() error {
	began := g.journal.Day() // files of earlier days do not grow any more
	steps := []func() error{
		func() error { return g.readJournal("") },
		func() error { return g.messages(failedDir) },
		func() error { return g.messages(curDir) },
		func() error { return g.messages(failedDir) },
		g.sidecars,
		func() error { return g.readJournal(began) },
	}
	for _, step := range steps {
		if err := errors.Join(step(), g.ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// messages reads the sidecars in cur or failed. A listing may miss one that is renamed while
// it runs, and a name may be gone when it is opened. The bodies, whose names stay, tell that:
// where not every one had its sidecar read, the folder is listed again for those.
func (g *keyReader) messages(dir string) error {
	var before *balance
	for range 3 {
		var failed error
		unread := new(balance) // the bodies less the sidecars that were read
		err := g.folders.list(dir, func(name []byte) bool {
			p := sidecar.ParseName(name)
			id := lines.Start.Over(p.ID)
			_, known := g.lines[id]
			switch {
			case known || p.Kind != sidecar.Body && p.Kind != sidecar.Sidecar, before != nil && *before.part(id) == 0:
			case p.Kind == sidecar.Body:
				*unread.part(id) += id
			default:
				keys, err := g.keysAt(dir + "/" + string(name))
				if err == nil {
					*unread.part(id) -= id
				}
				g.add(keys)
				failed = ignoreMissing(err)
			}
			return failed == nil && g.ctx.Err() == nil
		})
		if err = errors.Join(err, failed); err != nil || *unread == (balance{}) {
			return err
		}
		before = unread
	}
	return nil
}

// keysAt reads the keys in a sidecar. One that cannot be understood has none: a flush will
// set it aside.
func (g *keyReader) keysAt(path string) ([]spool.ImportKey, error) {
	rec, err := g.folders.record(path)
	if rec == nil && notAFile(err) {
		return nil, nil
	}
	if rec == nil {
		return nil, g.folders.withRepair(err, path)
	}
	return rec.Envelope.ImportKeys, nil
}

// sidecars reads those in import, and hands their keys to the journal.
func (g *keyReader) sidecars() error {
	var left []imports.Message
	var failed error
	err := g.folders.list(imports.Dir, func(name []byte) bool {
		id, ok := bytes.CutPrefix(name, []byte("."))
		if !ok || !spool.ID(id).Valid() {
			return true
		}
		m := imports.Message{ID: spool.ID(id)}
		var err error
		m.Keys, err = g.keysAt(imports.Path(m.ID))
		if failed = ignoreMissing(err); err == nil && len(m.Keys) == 0 {
			g.void[m.ID] = true
		}
		g.add(m.Keys)
		left = append(left, m)
		return failed == nil
	})
	// What does not become a line now does when the next import begins.
	_ = g.journal.HandOver(left)
	return errors.Join(err, failed)
}

// readJournal reads the files of the journal, from a day on. What an older version left is
// read only when it is known what it died over.
func (g *keyReader) readJournal(from string) error {
	var files []string
	err := g.folders.list(imports.Dir, func(name []byte) bool {
		_, err := time.Parse(time.DateOnly, string(name))
		if err == nil && string(name) >= from || string(name) == imports.NotesName && from != "" {
			files = append(files, string(name))
		}
		return true
	})
	for i := 0; i < len(files) && err == nil; i++ {
		err = g.file(files[i])
	}
	return err
}

// file reads the lines since then. A day before it goes, and so does what an older version
// left, if nothing in it counts any more.
func (g *keyReader) file(name string) error {
	good := 0
	err := g.journal.Read(name, func(l imports.Line) {
		if l.At < g.since.Unix() || name == imports.NotesName && g.void[l.ID] {
			return
		}
		good++
		g.add(l.Keys)
		g.lines[lines.Start.Over([]byte(l.ID))] = struct{}{}
	})
	old := name == imports.NotesName && good == 0
	if err != nil || !old && name >= g.since.UTC().Format(time.DateOnly) {
		return err
	}
	err = ignoreMissing(g.folders.Unlink(imports.Dir + "/" + name))
	for id := range g.void {
		if old && err == nil {
			err = ignoreMissing(g.folders.Unlink(imports.Path(id)))
		}
	}
	return err
}
