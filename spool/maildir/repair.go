package maildir

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// Repair sweeps tmp, and looks closer at the folders whose last listing did not
// add up.
func (s *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	r := &repair{s: s}
	r.tmp()
	r.dir(ctx, curDir, s.unbalancedCur.Swap(nil))
	r.dir(ctx, failedDir, s.unbalancedFailed.Swap(nil))
	return r.found, r.err
}

// repair is a Repair under way: what it found, and what it could not do.
type repair struct {
	s     *Store
	found []spool.Anomaly
	err   error
}

// failed notes an error, and reports whether it is one.
func (r *repair) addError(err error) bool {
	if err != nil {
		r.err = errors.Join(r.err, err)
	}
	return err != nil
}

// swept notes a file that was removed.
func (r *repair) swept(name, why string) {
	r.found = append(r.found, spool.Anomaly{Name: name, Why: why})
}

// setAside moves a name to aside and notes it.
func (r *repair) setAside(dir, name, why string) {
	moved, err := r.s.aside(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return // another process did
	}
	if !r.addError(err) {
		r.found = append(r.found, spool.Anomaly{Name: dir + "/" + name, Moved: moved, Why: why})
	}
}

// unpaired are the names in a folder without a counterpart.
type unpaired struct {
	bodies   map[spool.ID]bool
	sidecars map[spool.ID][]spool.Entry
	foreign  []string
}

// unpaired lists a folder again. Of a million names it keeps those that sum leaves
// under suspicion.
func (s *Store) unpaired(dir string, sum *balance) (h unpaired, err error) {
	h.bodies, h.sidecars = map[spool.ID]bool{}, map[spool.ID][]spool.Entry{}
	err = s.list(dir, func(name []byte) bool {
		p := sidecar.ParseName(name)
		inPlace := p.Kind == sidecar.Body || p.Kind == sidecar.Sidecar && (p.Failed()) == (dir == failedDir)
		switch {
		case p.Kind == sidecar.Ignored:
		case !inPlace:
			h.foreign = append(h.foreign, string(name))
		case *sum.part(sidecar.Start.Over(p.ID)) == 0:
		case p.Kind == sidecar.Body:
			h.bodies[spool.ID(p.ID)] = true
		default:
			h.sidecars[spool.ID(p.ID)] = append(h.sidecars[spool.ID(p.ID)], p.Entry())
		}
		return true
	})
	for id, list := range h.sidecars {
		if h.bodies[id] && len(list) == 1 {
			delete(h.bodies, id)
			delete(h.sidecars, id)
		}
	}
	return h, err
}

func (r *repair) dir(ctx context.Context, dir string, sum *balance) {
	if sum == nil || ctx.Err() != nil {
		return
	}
	h, err := r.s.unpaired(dir, sum)
	if r.addError(err) {
		return
	}
	for _, name := range h.foreign {
		r.setAside(dir, name, "not a file of this spool")
	}
	for id, list := range h.sidecars {
		if h.bodies[id] {
			r.secondSidecars(dir, list)
			delete(h.bodies, id)
			continue
		}
		for _, e := range list {
			r.sidecar(e)
		}
	}
	r.bodies(dir, slices.Sorted(maps.Keys(h.bodies)))
}

// secondSidecars keeps of several sidecars of one message the one that knows most. Two names
// of one file are a rename that was cut short (fsys, linkAndUnlink): one name goes.
func (r *repair) secondSidecars(dir string, list []spool.Entry) {
	lock, err := r.s.fs.Open(bodyPath(dir, list[0].ID), unix.O_RDONLY, 0)
	if err != nil {
		return // it has left, or is handled as an orphan
	}
	defer lock.Close()
	if lock.Lock(false) != nil {
		return // being renamed just now
	}
	best, most := -1, -1
	for i, e := range list {
		rec, body, err := r.s.Peek(context.Background(), e)
		if err != nil {
			continue
		}
		body.Close()
		if len(rec.Events) > most {
			best, most = i, len(rec.Events)
		}
	}
	for i, e := range list {
		switch {
		case i == best || best < 0:
		case r.s.sameFile(dir, sidecar.Name(e), sidecar.Name(list[best])):
			r.addError(ignoreMissing(r.s.fs.Unlink(dir + "/" + sidecar.Name(e))))
		default:
			r.setAside(dir, sidecar.Name(e), "a second sidecar of the same message")
		}
	}
}

func (s *Store) sameFile(dir, one, other string) bool {
	a, missing := s.fs.Stat(dir + "/" + one)
	b, gone := s.fs.Stat(dir + "/" + other)
	return missing == nil && gone == nil && a.Inode == b.Inode
}

// leftOver is the reason for removing a file of a finished message.
const leftOver = "left over, no message"

// sidecar handles a sidecar without body. The body may have arrived since the
// listing, or be in the other folder, from a move that was cut short.
func (r *repair) sidecar(e spool.Entry) {
	dir, name := folderOf(e.State), sidecar.Name(e)
	if _, err := r.s.fs.Stat(bodyPath(dir, e.ID)); err == nil {
		return
	}
	done, err := r.s.finishMove(e)
	switch {
	case errors.Is(err, fs.ErrExist): // the pair is whole over there
		r.setAside(dir, name, "a second sidecar of the same message")
		return
	case r.addError(err) || done:
		return
	}
	rec, err := r.s.recordAt(dir + "/" + name)
	if err != nil || rec == nil || !rec.Finished() {
		r.setAside(dir, name, "its message is missing")
		return
	}
	// It says that its message is finished (removeUnmarked).
	if err := r.s.removeSidecar(dir+"/"+name, imported{e.ID, rec.Envelope.ImportKeys}); err == nil {
		r.swept(dir+"/"+name, leftOver)
	} else {
		r.addError(ignoreMissing(err))
	}
}

func (s *Store) locked(path string) bool {
	f, err := s.fs.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(f.Lock(false), fsys.ErrLocked)
}

// finishMove finishes a move between cur and failed whose body and sidecar are in
// different folders; e is the sidecar. The record says where both belong.
func (s *Store) finishMove(e spool.Entry) (done bool, err error) {
	sideDir := folderOf(e.State)
	bodyDir := failedDir
	if sideDir == failedDir {
		bodyDir = curDir
	}
	f, err := s.fs.Open(bodyPath(bodyDir, e.ID), unix.O_RDONLY, 0)
	if err != nil {
		return false, ignoreMissing(err)
	}
	defer f.Close()
	if err := f.Lock(false); err != nil {
		return errors.Is(err, fsys.ErrLocked), nil // being moved just now
	}
	rec, err := s.recordAt(sideDir + "/" + sidecar.Name(e))
	if rec == nil {
		return false, ignoreMissing(err)
	}
	to := sidecar.EntryOf(rec)
	if folderOf(to.State) == sideDir {
		err = s.fs.Rename(bodyPath(bodyDir, e.ID), bodyPath(sideDir, e.ID))
	} else {
		err = s.fs.Rename(sideDir+"/"+sidecar.Name(e), bodyDir+"/"+sidecar.Name(to))
	}
	return true, errors.Join(err, s.fs.SyncDir(curDir), s.fs.SyncDir(failedDir))
}

// recordAt reads a sidecar; nil without an error: it is torn.
func (s *Store) recordAt(path string) (*spool.Record, error) {
	f, err := s.fs.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := sidecar.Read(f)
	if errors.As(err, new(*fs.PathError)) {
		return nil, err
	}
	return got.Record, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
