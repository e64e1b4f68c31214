package maildir

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"notices/spool"
)

// sweepTmp removes what dead writers left in tmp: nothing there was ever accepted.
func (s *Store) sweepTmp() (found []spool.Anomaly, err error) {
	var names []string
	err = s.list(tmpDir, func(name []byte) bool {
		names = append(names, string(name))
		return true
	})
	var sidecars []spool.ID
	for _, name := range names {
		id := spool.ID(strings.TrimPrefix(name, "."))
		switch {
		case name == trialName:
			continue
		case !id.Valid() || !id.Generated() && !s.locked(tmpDir+"/"+string(id)):
			found = s.report(&err, found, tmpDir, name, "not a file of this spool")
			continue
		case strings.HasPrefix(name, "."):
			sidecars = append(sidecars, id)
			continue
		}
		swept, e := s.sweepDraft(id)
		if errors.Is(e, fs.ErrPermission) { // whoever writes here can be read by us
			found = s.report(&err, found, tmpDir, name, "not ours to read")
			continue
		}
		if swept {
			found = append(found, neverAccepted(name))
		}
		err = errors.Join(err, e)
	}
	for batch := range slices.Chunk(sidecars, loneBatch) {
		found = s.sweepTmpSides(&err, found, batch)
	}
	return found, err
}

func neverAccepted(name string) spool.Anomaly {
	return spool.Anomaly{Name: tmpDir + "/" + name, Why: "never accepted, its writer is gone"}
}

// sweepDraft removes tmp/ID and tmp/.ID, unless their writer lives.
func (s *Store) sweepDraft(id spool.ID) (swept bool, err error) {
	return s.sweepLocked(bodyPath(tmpDir, id), func() error {
		return ignoreMissing(s.fs.Unlink(tmpDir + "/." + string(id)))
	})
}

// sweepTmpSides removes sidecars in tmp whose bodies are not there: renamed to cur by
// a writer that is just about to follow (locked), or died. Then the body, never
// accepted, goes first: without this sidecar it would pass for lost mail.
func (s *Store) sweepTmpSides(err *error, found []spool.Anomaly, ids []spool.ID) []spool.Anomaly {
	alone := slices.DeleteFunc(ids, func(id spool.ID) bool {
		_, e := s.fs.Stat(bodyPath(tmpDir, id))
		return e == nil // goes with its body
	})
	l, e := s.lockLone(curDir, alone)
	defer l.close()
	*err = errors.Join(*err, e)
	if e := s.unlink(curDir, slices.Collect(maps.Values(l.bodies))); e != nil {
		*err = errors.Join(*err, e)
		return found
	}
	for _, id := range alone {
		if l.busy[id] {
			continue
		}
		side := "." + string(id)
		switch e := s.fs.Unlink(tmpDir + "/" + side); {
		case e == nil:
			found = append(found, neverAccepted(side))
		default:
			*err = errors.Join(*err, ignoreMissing(e))
		}
	}
	return found
}
