package drop

import (
	"errors"
	"io/fs"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// sweeping begins the name of a file that is looked at for the last time before it is
// removed.
const sweeping = "."

func (r *run) stale(st fsys.Info) bool {
	return st.Regular && st.Mode == writing && r.now.Unix()-st.ModTime > int64(stale.Seconds())
}

// sweep removes a file that its writer left behind. Whether that writer lives cannot
// be asked: its file does not open for others, so there is no lock to try. So the name
// is taken away first, and then looked again: a writer changes the file, then checks
// the name, then completes it (draft.complete), and one that found its name is seen
// here by the file's new time.
func (r *run) sweep(id string, st fsys.Info) {
	if !r.stale(st) {
		return
	}
	err := r.fs.Rename(path(id), path(sweeping+id))
	switch {
	case err == nil:
		r.resume(id)
	case errors.Is(err, fs.ErrExist): // somebody made that name up
		r.strange(sweeping+id, "its name is not one that notices gives")
	default:
		r.left(id, err)
	}
}

// resume decides on a file whose name was taken away, perhaps by a run that died.
// back: it has its name again.
func (r *run) resume(id string) (back bool) {
	st, err := r.fs.Stat(path(sweeping + id))
	if err == nil && r.stale(st) {
		if err = r.unlink(sweeping + id); err == nil {
			r.anomaly(spool.Anomaly{Name: path(id), Why: "never accepted, its writer is gone"})
			return false
		}
	} else if err == nil {
		err = r.fs.Rename(path(sweeping+id), path(id))
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, fs.ErrExist):
		r.foreign(sweeping+id, st, "its name is not one that notices gives")
	default:
		r.left(sweeping+id, err)
	}
	return false
}
