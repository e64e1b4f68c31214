package maildir

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// orphanBatch is how many bodies without sidecar are checked together: they share one listing,
// and each keeps a descriptor open until then.
const orphanBatch = 384

// orphan is a body without sidecar, locked, so that no writer gives it one. If it may not be
// opened it has no file; then it is not about to be committed by a writer of this spool.
type orphan struct {
	fsys.File
	id   spool.ID
	mode uint32
	busy bool // leave it alone: it is locked, or its state is not known
}

type orphans map[spool.ID]orphan

func (o orphans) close() {
	for _, b := range o {
		if b.File != nil {
			b.Close()
		}
	}
}

// lockOrphans locks those of ids that are bodies without sidecar; close lets them go.
func lockOrphans(f folders, dir string, ids []spool.ID) (orphans, error) {
	found := orphans{}
	var failed error
	busy := 0
	for _, id := range ids {
		b, err := lockOrphan(f, dir, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if found[id] = b; b.busy {
			busy++
		}
		failed = errors.Join(failed, err)
	}
	if busy == len(found) {
		return found, failed
	}
	with, err := f.sidecarsOf(dir, ids)
	for id, b := range found {
		_, has := with[id]
		if b.File != nil && (has || err != nil) {
			b.Close()
		}
		if err != nil {
			found[id] = orphan{busy: true}
		} else if has {
			delete(found, id)
		}
	}
	return found, errors.Join(failed, err)
}

func lockOrphan(f folders, dir string, id spool.ID) (orphan, error) {
	body, err := f.Open(bodyPath(dir, id), unix.O_RDONLY, 0)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return orphan{id: id}, nil
	case notAFile(err):
		return orphan{busy: true}, nil
	case err != nil:
		return orphan{busy: true}, err
	}
	if err = body.Lock(false); err == nil {
		var st fsys.Info
		if st, err = body.Stat(); err == nil && st.Links > 0 {
			return orphan{File: body, id: id, mode: st.Mode}, nil
		}
	}
	body.Close()
	if errors.Is(err, fsys.ErrLocked) {
		err = nil
	}
	return orphan{busy: true}, err
}

// unlinkOrphans removes bodies. That their sidecars are missing is made durable first:
// half a message must not come back.
func unlinkOrphans(f folders, dir string, bodies []orphan) error {
	if len(bodies) == 0 {
		return nil
	}
	err := f.SyncDir(dir)
	for i := 0; i < len(bodies) && err == nil; i++ {
		err = ignoreMissing(f.Unlink(bodyPath(dir, bodies[i].id)))
	}
	return err
}

// sweepBody removes a body that has no sidecar, unless it is locked.
func sweepBody(f folders, dir string, id spool.ID) (swept bool, err error) {
	found, err := lockOrphans(f, dir, []spool.ID{id})
	defer found.close()
	if b := found[id]; b.File != nil && err == nil {
		return true, unlinkOrphans(f, dir, []orphan{b})
	}
	_, missing := f.Stat(bodyPath(dir, id))
	return errors.Is(missing, fs.ErrNotExist), err
}

// sweepDraft removes tmp/ID and tmp/.ID, unless their writer lives.
func sweepDraft(f folders, id spool.ID) (swept bool, err error) {
	body, err := f.Open(bodyPath(tmpDir, id), unix.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	if err = body.Lock(false); err == nil {
		if err = ignoreMissing(f.Unlink(tmpSidecar(id))); err == nil {
			return true, ignoreMissing(f.Unlink(bodyPath(tmpDir, id))) // its writer may have moved it since
		}
	}
	if errors.Is(err, fsys.ErrLocked) {
		err = nil
	}
	return false, err
}

// bodies handles bodies without sidecar: on their way between the folders, or
// left behind by deliveries or by a writer that died.
func (r *repair) bodies(dir string, ids []spool.ID) {
	if len(ids) == 0 {
		return
	}
	moving, err := r.folders.sidecarsOf(otherFolder(dir), ids)
	if r.addError(err) {
		return
	}
	var rest []spool.ID
	for _, id := range ids {
		if entry, here := moving[id]; here {
			_, err := r.finishMove(entry)
			r.addError(err)
			continue
		}
		switch st, err := r.folders.Stat(bodyPath(dir, id)); {
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

// sweepOrphans removes bodies that are marked as finished, and sets aside what may be mail.
func (r *repair) sweepOrphans(dir string, ids []spool.ID) {
	found, err := lockOrphans(r.folders, dir, ids)
	r.addError(err)
	defer found.close()
	var done []orphan
	for _, id := range ids {
		switch b, here := found[id]; {
		case !here || b.busy: // being committed, whatever its name; or committed since; or gone
		case b.File == nil:
			r.setAside(dir, string(id), "its sidecar is missing, and it is not ours to read")
		case b.mode == doneMode, r.isDraft(id):
			done = append(done, b)
		default:
			r.setAside(dir, string(id), "its sidecar is missing, or it is not a file of this spool")
		}
	}
	if r.addError(unlinkOrphans(r.folders, dir, done)) {
		return
	}
	for _, b := range done {
		r.swept(bodyPath(dir, b.id), leftOver, nil)
	}
}

// isDraft reports whether the sidecar is in tmp: then the writer died before the commit, after
// tmp was swept.
func (r *repair) isDraft(id spool.ID) bool {
	_, err := r.folders.Stat(tmpSidecar(id))
	return err == nil
}

// neverAccepted is what is said of a file in tmp whose process died.
const neverAccepted = "left by a process that is gone, which had not accepted it yet, or had sent it"

// tmp removes what dead processes left in tmp: nothing there is a message, or not any more.
func (r *repair) tmp() {
	var names []string
	r.addError(r.folders.list(tmpDir, func(name []byte) bool {
		names = append(names, string(name))
		return true
	}))
	var sidecars []spool.ID
	for _, name := range names {
		id := spool.ID(strings.TrimPrefix(name, "."))
		switch {
		case name == sidecar.ProbeName:
			continue
		case !id.Valid() || !id.Generated() && !r.folders.locked(bodyPath(tmpDir, id)):
			r.setAside(tmpDir, name, "not a file of this spool")
			continue
		case strings.HasPrefix(name, "."):
			sidecars = append(sidecars, id)
			continue
		}
		swept, err := sweepDraft(r.folders, id)
		if errors.Is(err, fs.ErrPermission) { // writers of this spool can be read by us
			r.setAside(tmpDir, name, "not ours to read")
			continue
		}
		if swept {
			r.swept(tmpDir+"/"+name, neverAccepted, nil)
		}
		r.addError(err)
	}
	for batch := range slices.Chunk(sidecars, orphanBatch) {
		r.tmpSidecars(batch)
	}
}

// tmpSidecars removes sidecars in tmp whose bodies are not there: renamed to cur by
// a writer that is just about to follow (locked), or died. Then the body, never
// accepted, goes first: without this sidecar it would pass for lost mail.
func (r *repair) tmpSidecars(ids []spool.ID) {
	alone := slices.DeleteFunc(ids, func(id spool.ID) bool {
		_, err := r.folders.Stat(bodyPath(tmpDir, id))
		return err == nil // goes with its body
	})
	found, err := lockOrphans(r.folders, curDir, alone)
	defer found.close()
	r.addError(err)
	bodies := slices.DeleteFunc(slices.Collect(maps.Values(found)), func(b orphan) bool { return b.File == nil })
	if r.addError(unlinkOrphans(r.folders, curDir, bodies)) {
		return
	}
	for _, id := range alone {
		if found[id].busy {
			continue
		}
		r.swept(tmpSidecar(id), neverAccepted, r.folders.Unlink(tmpSidecar(id)))
	}
}
