package maildir

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"notices/spool"
)

// neverAccepted is what is said of a file in tmp whose writer died.
const neverAccepted = "never accepted, its writer is gone"

// tmp removes what dead writers left in tmp: nothing there was ever accepted.
func (r *repair) tmp() {
	var names []string
	r.addError(r.s.list(tmpDir, func(name []byte) bool {
		names = append(names, string(name))
		return true
	}))
	var sidecars []spool.ID
	for _, name := range names {
		id := spool.ID(strings.TrimPrefix(name, "."))
		switch {
		case name == probeName:
			continue
		case !id.Valid() || !id.Generated() && !r.s.locked(tmpDir+"/"+string(id)):
			r.setAside(tmpDir, name, "not a file of this spool")
			continue
		case strings.HasPrefix(name, "."):
			sidecars = append(sidecars, id)
			continue
		}
		swept, err := r.s.sweepDraft(id)
		if errors.Is(err, fs.ErrPermission) { // whoever writes here can be read by us
			r.setAside(tmpDir, name, "not ours to read")
			continue
		}
		if swept {
			r.swept(tmpDir+"/"+name, neverAccepted)
		}
		r.addError(err)
	}
	for batch := range slices.Chunk(sidecars, orphanBatch) {
		r.tmpSidecars(batch)
	}
}

// sweepDraft removes tmp/ID and tmp/.ID, unless their writer lives.
func (s *Store) sweepDraft(id spool.ID) (swept bool, err error) {
	return s.sweepLocked(bodyPath(tmpDir, id), func() error {
		return ignoreMissing(s.fs.Unlink(tmpDir + "/." + string(id)))
	})
}

// tmpSidecars removes sidecars in tmp whose bodies are not there: renamed to cur by
// a writer that is just about to follow (locked), or died. Then the body, never
// accepted, goes first: without this sidecar it would pass for lost mail.
func (r *repair) tmpSidecars(ids []spool.ID) {
	alone := slices.DeleteFunc(ids, func(id spool.ID) bool {
		_, err := r.s.fs.Stat(bodyPath(tmpDir, id))
		return err == nil // goes with its body
	})
	l, err := r.s.lockOrphans(curDir, alone)
	defer l.close()
	r.addError(err)
	if r.addError(r.s.unlinkOrphans(curDir, slices.Collect(maps.Values(l.bodies)))) {
		return
	}
	for _, id := range alone {
		if l.busy[id] {
			continue
		}
		side := tmpDir + "/." + string(id)
		if err := r.s.fs.Unlink(side); err == nil {
			r.swept(side, neverAccepted)
		} else {
			r.addError(ignoreMissing(err))
		}
	}
}
