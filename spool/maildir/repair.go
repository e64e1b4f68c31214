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
	"notices/spool/maildir/imports"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
)

// Repair sweeps tmp, and looks closer at the folders whose last listing did not
// add up.
func (s *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	r := &repair{folders: s.folders}
	r.tmp()
	r.dir(ctx, curDir, s.unbalancedCur.Swap(nil))
	r.dir(ctx, failedDir, s.unbalancedFailed.Swap(nil))
	return r.found, r.err
}

// repair is a Repair under way: what it found, and what it could not do.
type repair struct {
	folders folders
	found   []spool.Anomaly
	err     error
}

// addError notes an error, and reports whether it is one.
func (r *repair) addError(err error) bool {
	if err != nil {
		r.err = errors.Join(r.err, err)
	}
	return err != nil
}

// swept notes a file that was removed, or the error of its removal.
func (r *repair) swept(name, why string, err error) {
	if err == nil {
		r.found = append(r.found, spool.Anomaly{Name: name, Why: why})
	}
	r.addError(ignoreMissing(err))
}

// setAside moves a name to aside and notes it.
func (r *repair) setAside(dir, name, why string) {
	moved, err := r.folders.setAside(dir, name)
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
func (r *repair) unpaired(dir string, sum *balance) (h unpaired, err error) {
	h.bodies, h.sidecars = map[spool.ID]bool{}, map[spool.ID][]spool.Entry{}
	err = r.folders.list(dir, func(name []byte) bool {
		p := sidecar.ParseName(name)
		inPlace := p.Kind == sidecar.Body || p.Kind == sidecar.Sidecar && (p.Failed()) == (dir == failedDir)
		switch {
		case p.Kind == sidecar.Ignored:
		case !inPlace:
			h.foreign = append(h.foreign, string(name))
		case *sum.part(lines.Start.Over(p.ID)) == 0:
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
	h, err := r.unpaired(dir, sum)
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
	lock, err := r.folders.Open(bodyPath(dir, list[0].ID), unix.O_RDONLY, 0)
	if err != nil {
		return // it has left, or is handled as an orphan
	}
	defer lock.Close()
	if lock.Lock(false) != nil {
		return // being renamed just now
	}
	best, most := -1, -1
	for i, e := range list {
		rec, _ := r.folders.record(sidecarOf(e))
		if rec != nil && len(rec.Events) > most {
			best, most = i, len(rec.Events)
		}
	}
	for i, e := range list {
		switch {
		case i == best || best < 0:
		case r.folders.sameFile(sidecarOf(e), sidecarOf(list[best])):
			r.addError(ignoreMissing(r.folders.Unlink(sidecarOf(e))))
		default:
			r.setAside(dir, sidecar.Name(e), "a second sidecar of the same message")
		}
	}
}

// leftOver is the reason for removing a file of a finished message.
const leftOver = "left over, no message"

// sidecar handles a sidecar without body. The body may have arrived since the
// listing, or be in the other folder, from a move that was cut short.
func (r *repair) sidecar(e spool.Entry) {
	dir, path := folderOf(e.State), sidecarOf(e)
	if _, err := r.folders.Stat(bodyOf(e)); err == nil {
		return
	}
	done, err := r.finishMove(e)
	switch {
	case errors.Is(err, fs.ErrExist): // the pair is whole over there
		r.setAside(dir, sidecar.Name(e), "a second sidecar of the same message")
		return
	case r.addError(err) || done:
		return
	}
	rec, err := r.folders.record(path)
	if err != nil || rec == nil || !rec.Finished() {
		r.setAside(dir, sidecar.Name(e), "its message is missing")
		return
	}
	// It says that its message is finished (removeUnmarked).
	r.swept(path, leftOver, r.folders.removeSidecar(path, imports.Message{ID: e.ID, Keys: rec.Envelope.ImportKeys}))
}

// finishMove finishes a move between cur and failed whose body and sidecar are in
// different folders; e is the sidecar. The record says where both belong.
func (r *repair) finishMove(e spool.Entry) (done bool, err error) {
	sideDir := folderOf(e.State)
	bodyDir := otherFolder(sideDir)
	f, err := r.folders.Open(bodyPath(bodyDir, e.ID), unix.O_RDONLY, 0)
	if err != nil {
		return false, ignoreMissing(err)
	}
	defer f.Close()
	if err := f.Lock(false); err != nil {
		return errors.Is(err, fsys.ErrLocked), nil // being moved just now
	}
	rec, err := r.folders.record(sidecarOf(e))
	if rec == nil {
		return false, ignoreMissing(err)
	}
	to := rec.Entry()
	if folderOf(to.State) == sideDir {
		err = r.folders.Rename(bodyPath(bodyDir, e.ID), bodyOf(e))
	} else {
		err = r.folders.Rename(sidecarOf(e), sidecarOf(to))
	}
	return true, errors.Join(err, r.folders.SyncDir(curDir), r.folders.SyncDir(failedDir))
}
