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
)

// Repair sweeps tmp, and looks closer at the folders whose last listing did not
// add up.
func (s *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	found, err := s.sweepTmp()
	for _, dir := range []string{curDir, failedDir} {
		odd := &s.oddCur
		if dir == failedDir {
			odd = &s.oddFailed
		}
		if ctx.Err() != nil {
			break
		}
		if sum := odd.Swap(nil); sum != nil {
			more, e := s.repairDir(dir, sum)
			found, err = append(found, more...), errors.Join(err, e)
		}
	}
	return found, err
}

// halves are the names of a folder that have no counterpart.
type halves struct {
	bodies   map[spool.ID]bool
	sidecars map[spool.ID][]spool.Entry
	foreign  []string
}

// halves lists a folder again. Of a million names it keeps those that sum leaves
// under suspicion.
func (s *Store) halves(dir string, sum *balance) (h halves, err error) {
	h.bodies, h.sidecars = map[spool.ID]bool{}, map[spool.ID][]spool.Entry{}
	err = s.list(dir, func(name []byte) bool {
		p := parseName(name)
		inPlace := p.kind == body || p.kind == sidecar && (p.state == letterFailed) == (dir == failedDir)
		switch {
		case p.kind == ignored:
		case !inPlace:
			h.foreign = append(h.foreign, string(name))
		case *sum.part(chainStart.over(p.id)) == 0:
		case p.kind == body:
			h.bodies[spool.ID(p.id)] = true
		default:
			h.sidecars[spool.ID(p.id)] = append(h.sidecars[spool.ID(p.id)], p.entry())
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

func (s *Store) repairDir(dir string, sum *balance) (found []spool.Anomaly, err error) {
	h, err := s.halves(dir, sum)
	if err != nil {
		return nil, err
	}
	for _, name := range h.foreign {
		found = s.report(&err, found, dir, name, "not a file of this spool")
	}
	for id, list := range h.sidecars {
		if h.bodies[id] {
			found = s.repairTwice(&err, found, dir, list)
			delete(h.bodies, id)
			continue
		}
		for _, e := range list {
			found = s.repairSidecar(&err, found, e)
		}
	}
	return s.repairBodies(&err, found, dir, slices.Sorted(maps.Keys(h.bodies))), err
}

// report moves a name to aside and says so.
func (s *Store) report(err *error, found []spool.Anomaly, dir, name, why string) []spool.Anomaly {
	moved, e := s.aside(dir, name)
	if errors.Is(e, fs.ErrNotExist) {
		return found // somebody else did
	}
	if e != nil {
		*err = errors.Join(*err, e)
		return found
	}
	return append(found, spool.Anomaly{Name: dir + "/" + name, Moved: moved, Why: why})
}

// repairTwice keeps of several sidecars of one message the one that knows most. Two names
// of one file are a rename that was cut short (durable, linkAndUnlink): one name goes.
func (s *Store) repairTwice(err *error, found []spool.Anomaly, dir string, list []spool.Entry) []spool.Anomaly {
	lock, e := s.fs.Open(bodyPath(dir, list[0].ID), unix.O_RDONLY, 0)
	if e != nil {
		return found // it left meanwhile, or is odd and found out as that
	}
	defer lock.Close()
	if lock.Lock(false) != nil {
		return found // being renamed just now
	}
	best, most := -1, -1
	for i, e := range list {
		rec, body, e := s.Peek(context.Background(), e)
		if e != nil {
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
		case s.sameFile(dir, sidecarName(e), sidecarName(list[best])):
			*err = errors.Join(*err, ignoreMissing(s.fs.Unlink(dir+"/"+sidecarName(e))))
		default:
			found = s.report(err, found, dir, sidecarName(e), "a second sidecar of the same message")
		}
	}
	return found
}

func (s *Store) sameFile(dir, one, other string) bool {
	a, missing := s.fs.Stat(dir + "/" + one)
	b, gone := s.fs.Stat(dir + "/" + other)
	return missing == nil && gone == nil && a.Inode == b.Inode
}

// repairSidecar handles a sidecar without body. The body may have arrived since the
// listing, or be in the other folder, from a move that was cut short.
func (s *Store) repairSidecar(err *error, found []spool.Anomaly, e spool.Entry) []spool.Anomaly {
	dir := home(e.State)
	if _, e := s.fs.Stat(bodyPath(dir, e.ID)); e == nil {
		return found
	}
	done, failed := s.finishMove(e)
	if errors.Is(failed, fs.ErrExist) { // the pair is whole over there
		return s.report(err, found, dir, sidecarName(e), "a second sidecar of the same message")
	}
	if done || failed != nil {
		*err = errors.Join(*err, failed)
		return found
	}
	if rec, e2 := s.recordAt(dir + "/" + sidecarName(e)); e2 == nil && rec != nil && rec.Settled() {
		return s.dropSettled(err, found, dir+"/"+sidecarName(e))
	}
	return s.report(err, found, dir, sidecarName(e), "its message is missing")
}

// dropSettled removes a sidecar that says that its message is over (removeUnmarked).
func (s *Store) dropSettled(err *error, found []spool.Anomaly, path string) []spool.Anomaly {
	if e := s.fs.Unlink(path); e != nil {
		*err = errors.Join(*err, ignoreMissing(e))
		return found
	}
	return append(found, spool.Anomaly{Name: path, Why: "left over, no message"})
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
	sideDir := home(e.State)
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
	rec, err := s.recordAt(sideDir + "/" + sidecarName(e))
	if rec == nil {
		return false, err
	}
	to := entryOf(rec)
	if home(to.State) == sideDir {
		err = s.fs.Rename(bodyPath(bodyDir, e.ID), bodyPath(sideDir, e.ID))
	} else {
		err = s.fs.Rename(sideDir+"/"+sidecarName(e), bodyDir+"/"+sidecarName(to))
	}
	return true, errors.Join(err, s.fs.SyncDir(curDir), s.fs.SyncDir(failedDir))
}

// recordAt reads a sidecar; nil when it is missing or torn.
func (s *Store) recordAt(path string) (*spool.Record, error) {
	f, err := s.fs.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	defer f.Close()
	got, err := readSidecar(f)
	if errors.As(err, new(*fs.PathError)) {
		return nil, err
	}
	return got.rec, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
