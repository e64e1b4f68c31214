package maildir

import (
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// loneBatch is how many bodies without sidecar are looked at together: they share the
// listing that this takes, and each keeps a descriptor open meanwhile.
const orphanBatch = 384

// loneBody is a body without sidecar. While it is locked nobody gives it one.
type orphan struct {
	fsys.File
	id   spool.ID
	mode uint32
}

// lone are bodies without sidecar, and busy are those to leave alone: somebody has
// them locked, or nothing can be said of them.
type orphans struct {
	bodies map[spool.ID]orphan
	busy   map[spool.ID]bool
	closed map[spool.ID]bool // that we may not open: nobody who works here is about to commit them
}

func (l *orphans) close() {
	for _, b := range l.bodies {
		b.Close()
	}
}

// lockLone locks those of ids that are bodies without sidecar; close lets them go.
func (s *Store) lockOrphans(dir string, ids []spool.ID) (*orphans, error) {
	l := &orphans{bodies: map[spool.ID]orphan{}, busy: map[spool.ID]bool{}, closed: map[spool.ID]bool{}}
	var failed error
	for _, id := range ids {
		f, err := s.fs.Open(bodyPath(dir, id), unix.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, fs.ErrPermission) {
			l.closed[id] = true
			continue
		}
		if err == nil {
			err = l.lock(id, f)
		}
		if err != nil {
			l.busy[id] = true
		}
		if err != nil && !errors.Is(err, fsys.ErrLocked) && !notAFile(err) {
			failed = errors.Join(failed, err)
		}
	}
	if len(l.bodies)+len(l.closed) == 0 {
		return l, failed
	}
	with, err := s.sidecarsOf(dir, ids)
	for id := range with {
		delete(l.closed, id)
		if b, ok := l.bodies[id]; ok {
			b.Close()
			delete(l.bodies, id)
		}
	}
	if err != nil {
		for _, id := range ids {
			l.busy[id] = true
		}
		l.close()
		clear(l.bodies)
		clear(l.closed)
	}
	return l, errors.Join(failed, err)
}

// lock takes a body, unless somebody has it, or had it and removed it.
func (l *orphans) lock(id spool.ID, f fsys.File) error {
	err := f.Lock(false)
	if err == nil {
		var st fsys.Info
		if st, err = f.Stat(); err == nil && st.Links > 0 {
			l.bodies[id] = orphan{f, id, st.Mode}
			return nil
		}
	}
	f.Close()
	return err
}

// unlink removes lone bodies. That their sidecars are missing is made durable first:
// half a message must not come back.
func (s *Store) unlinkOrphans(dir string, bodies []orphan) error {
	if len(bodies) == 0 {
		return nil
	}
	err := s.fs.SyncDir(dir)
	for i := 0; i < len(bodies) && err == nil; i++ {
		err = ignoreMissing(s.fs.Unlink(bodyPath(dir, bodies[i].id)))
	}
	return err
}

// bodies handles bodies without sidecar: on their way between the folders, or
// left behind by deliveries or by a writer that died.
func (r *repair) bodies(dir string, ids []spool.ID) {
	if len(ids) == 0 {
		return
	}
	other := failedDir
	if dir == failedDir {
		other = curDir
	}
	moving, err := r.s.sidecarsOf(other, ids)
	if r.addError(err) {
		return
	}
	var rest []spool.ID
	for _, id := range ids {
		if entry, here := moving[id]; here {
			_, err := r.s.finishMove(entry)
			r.addError(err)
			continue
		}
		switch st, err := r.s.fs.Stat(bodyPath(dir, id)); {
		case err != nil: // it left meanwhile
		case !st.Regular:
			r.setAside(dir, string(id), "not a file of this spool")
		default:
			rest = append(rest, id)
		}
	}
	for batch := range slices.Chunk(rest, orphanBatch) {
		r.sweepOrphans(dir, batch)
	}
}

// lone sweeps what is marked as done with, and sets aside what may be mail.
func (r *repair) sweepOrphans(dir string, ids []spool.ID) {
	l, err := r.s.lockOrphans(dir, ids)
	r.addError(err)
	defer l.close()
	var over []orphan
	for _, id := range ids {
		switch b, here := l.bodies[id]; {
		case l.closed[id]:
			r.setAside(dir, string(id), "its sidecar is missing, and it is not ours to read")
		case !here: // being committed, whatever its name; or committed since; or gone
		case b.mode == doneMode:
			over = append(over, b)
		default:
			r.setAside(dir, string(id), "its sidecar is missing, or it is not a file of this spool")
		}
	}
	if r.addError(r.s.unlinkOrphans(dir, over)) {
		return
	}
	for _, b := range over {
		r.swept(bodyPath(dir, b.id), leftOver)
	}
}

// sweepBody removes a body that has no sidecar, unless it is locked.
func (s *Store) sweepBody(dir string, id spool.ID) (swept bool, err error) {
	l, err := s.lockOrphans(dir, []spool.ID{id})
	defer l.close()
	if b, here := l.bodies[id]; here && err == nil {
		return true, s.unlinkOrphans(dir, []orphan{b})
	}
	_, missing := s.fs.Stat(bodyPath(dir, id))
	return errors.Is(missing, fs.ErrNotExist), err
}

// sweepLocked unlinks a file that nobody has locked, if before agrees under the lock.
func (s *Store) sweepLocked(path string, before func() error) (swept bool, err error) {
	f, err := s.fs.Open(path, unix.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err = f.Lock(false); err == nil {
		if err = before(); err == nil {
			return true, ignoreMissing(s.fs.Unlink(path)) // its writer may have moved it since
		}
	}
	if errors.Is(err, fsys.ErrLocked) {
		err = nil
	}
	return false, err
}
