package maildir

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/durable"
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
		if err == nil && odd.Swap(false) && ctx.Err() == nil {
			var more []spool.Anomaly
			more, err = s.repairDir(dir)
			found = append(found, more...)
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

func (s *Store) halves(dir string) (h halves, err error) {
	h.bodies, h.sidecars = map[spool.ID]bool{}, map[spool.ID][]spool.Entry{}
	err = s.list(dir, func(name []byte) bool {
		p := parseName(name)
		id := spool.ID(p.id)
		switch {
		case p.kind == body:
			h.bodies[id] = true
		case p.kind == sidecar && (p.state == letterFailed) == (dir == failedDir):
			h.sidecars[id] = append(h.sidecars[id], p.entry())
		default:
			h.foreign = append(h.foreign, string(name))
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

func (s *Store) repairDir(dir string) (found []spool.Anomaly, err error) {
	h, err := s.halves(dir)
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
	for id := range h.bodies {
		found = s.repairBody(&err, found, dir, id)
	}
	return found, err
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

// repairTwice keeps of several sidecars of one message the one that knows most.
func (s *Store) repairTwice(err *error, found []spool.Anomaly, dir string, list []spool.Entry) []spool.Anomaly {
	best, most := -1, -1
	for i, e := range list {
		rec, body, e := s.Look(context.Background(), e)
		if e != nil {
			continue
		}
		body.Close()
		if len(rec.Events) > most {
			best, most = i, len(rec.Events)
		}
	}
	for i, e := range list {
		if i != best && best >= 0 {
			found = s.report(err, found, dir, sidecarName(e), "a second sidecar of the same message")
		}
	}
	return found
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
	return s.report(err, found, dir, sidecarName(e), "its message is missing")
}

// repairBody handles a body without sidecar: on its way between the folders, or
// left behind by a delivery or by a writer that died.
func (s *Store) repairBody(err *error, found []spool.Anomaly, dir string, id spool.ID) []spool.Anomaly {
	other := failedDir
	if dir == failedDir {
		other = curDir
	}
	e, here, e1 := s.findIn(other, id)
	if here {
		_, e1 = s.finishMove(e)
	}
	if here || e1 != nil {
		*err = errors.Join(*err, e1)
		return found
	}
	if why := s.unknown(dir, id); why != "" {
		return s.report(err, found, dir, string(id), why)
	}
	swept, e2 := s.sweepBody(dir, id)
	*err = errors.Join(*err, e2)
	if swept {
		found = append(found, spool.Anomaly{Name: bodyPath(dir, id), Why: "left over, no message"})
	}
	return found
}

// unknown says why a body without sidecar must not be swept; "": it is marked as
// done with, or there is nothing to do. What is locked is being committed, whatever
// its name; what is committed since has its sidecar now.
func (s *Store) unknown(dir string, id spool.ID) string {
	path := bodyPath(dir, id)
	st, err := s.fs.Stat(path)
	switch {
	case err != nil, st.Regular && st.Mode == doneMode:
		return ""
	case !st.Regular:
		return "not a file of this spool"
	case s.locked(path):
		return ""
	}
	if _, found, err := s.findIn(dir, id); found || err != nil {
		return ""
	}
	return "its sidecar is missing, or it is not a file of this spool"
}

func (s *Store) locked(path string) bool {
	f, err := s.fs.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(f.Lock(false), durable.ErrLocked)
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
		return errors.Is(err, durable.ErrLocked), nil // being moved just now
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
	p, err := readSidecar(f)
	if err != nil {
		return nil, err
	}
	rec, _, _, _ := parseSidecar(p)
	return rec, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepTmp removes what dead writers left in tmp: nothing there was ever accepted.
func (s *Store) sweepTmp() (found []spool.Anomaly, err error) {
	var names []string
	err = s.list(tmpDir, func(name []byte) bool {
		names = append(names, string(name))
		return true
	})
	for _, name := range names {
		id := spool.ID(strings.TrimPrefix(name, "."))
		switch {
		case name == probeName:
			continue
		case !id.Valid() || !id.Generated() && !s.locked(tmpDir+"/"+string(id)):
			found = s.report(&err, found, tmpDir, name, "not a file of this spool")
			continue
		}
		swept, e := s.sweepName(id, name)
		if swept {
			found = append(found, spool.Anomaly{Name: tmpDir + "/" + name, Why: "never accepted, its writer is gone"})
		}
		err = errors.Join(err, e)
	}
	return found, err
}

func (s *Store) sweepName(id spool.ID, name string) (bool, error) {
	if !strings.HasPrefix(name, ".") {
		return s.sweepDraft(id)
	}
	return s.sweepTmpSide(id)
}

// sweepDraft removes tmp/ID and tmp/.ID, unless their writer lives.
func (s *Store) sweepDraft(id spool.ID) (swept bool, err error) {
	return s.sweepLocked(bodyPath(tmpDir, id), func() error {
		return ignoreMissing(s.fs.Unlink(tmpDir + "/." + string(id)))
	})
}

// sweepTmpSide removes a sidecar in tmp whose body is not there: it was renamed to
// cur by a writer that is just about to follow (locked), or died. Then the body, never
// accepted, goes first: without this sidecar it would pass for lost mail.
func (s *Store) sweepTmpSide(id spool.ID) (bool, error) {
	if _, err := s.fs.Stat(bodyPath(tmpDir, id)); err == nil {
		return false, nil // goes with its body
	}
	if s.locked(bodyPath(curDir, id)) {
		return false, nil
	}
	if _, err := s.sweepBody(curDir, id); err != nil {
		return false, err
	}
	return true, ignoreMissing(s.fs.Unlink(tmpDir + "/." + string(id)))
}
