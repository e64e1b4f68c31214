package drop

import (
	"errors"
	"io/fs"
	"time"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// staleAfter is the age at which a file that is still being written was left behind by
// its writer.
const staleAfter = 24 * time.Hour

// sweepPrefix begins the name of a file that is looked at for the last time before it is
// removed.
const sweepPrefix = "."

func (r *run) isStale(st fsys.Info) bool {
	return st.Regular && st.Mode == modeWriting && r.now.Unix()-st.ModTime > int64(staleAfter.Seconds())
}

// sweep removes a file that its writer left behind. Whether that writer lives cannot
// be asked: its file does not open for others, so there is no lock to try. So the file is
// renamed first, and then looked at again: a writer changes the file, then checks
// the name, then completes it (draft.complete). One that found its name is seen
// here by the file's new time.
func (r *run) sweep(id string, st fsys.Info) {
	if !r.isStale(st) {
		return
	}
	err := r.fs.Rename(path(id), path(sweepPrefix+id))
	switch {
	case err == nil:
		r.resume(id)
	case errors.Is(err, fs.ErrExist): // somebody made that name up
		r.cleaner.foreign(sweepPrefix+id, notOurName)
	default:
		r.cleaner.skip(id, err)
	}
}

// resume decides on a file that was renamed to be swept, perhaps by a run that died.
// restored: it has its name again.
func (r *run) resume(id string) (restored bool) {
	st, err := r.fs.Stat(path(sweepPrefix + id))
	if err == nil && r.isStale(st) {
		if err = unlink(r.fs, sweepPrefix+id); err == nil {
			r.cleaner.logForeign(spool.Anomaly{Name: path(id), Why: "never accepted, its writer is gone"})
			return false
		}
	} else if err == nil {
		err = r.fs.Rename(path(sweepPrefix+id), path(id))
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, fs.ErrExist):
		r.cleaner.clear(sweepPrefix+id, st, notOurName)
	default:
		r.cleaner.skip(sweepPrefix+id, err)
	}
	return false
}
