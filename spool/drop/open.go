package drop

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// isMessageName reports whether a name is an id.
func isMessageName(name []byte) bool { return isNewID(spool.ID(name)) }

const notOurName = "its name is not one that notices gives"

// openMessage opens a file and takes it apart. It returns nil if the file is not for this
// run; then what had to be done with it is done. An error ends the run.
func (r *run) openMessage(name string) (*message, error) {
	id, swept := strings.CutPrefix(name, sweepPrefix)
	if !isNewID(spool.ID(id)) {
		r.cleaner.foreign(name, notOurName)
		return nil, nil
	}
	if swept && !r.resume(id) {
		return nil, nil
	}
	st, err := r.fs.Stat(path(id))
	why := r.whyForeign(st)
	switch {
	case err != nil:
		r.cleaner.skip(id, err)
	case why != "":
		r.cleaner.clear(id, st, why)
	case st.Mode == modeWriting:
		r.sweep(id, st)
	default:
		return r.open(id)
	}
	return nil, nil
}

// whyForeign says what keeps a file from being a message, whatever its content, or "".
func (r *run) whyForeign(st fsys.Info) string {
	switch {
	case !st.Regular:
		return "it is not a file"
	case st.Links != 1:
		return "it has another name elsewhere"
	case st.GID != r.gid:
		return "it was not made here"
	case st.Mode != modeWriting && st.Mode != modeComplete:
		return fmt.Sprintf("its mode is %04o", st.Mode)
	case r.c.MaxSize > 0 && st.Size > r.c.MaxSize+int64(headSize)+maxEnvelope:
		return fmt.Sprintf("it has %d octets", st.Size)
	}
	return ""
}

// open opens what looked like a message, and looks again: between the two its user may
// have put something else there.
func (r *run) open(id string) (*message, error) {
	file, err := r.fs.Open(path(id), unix.O_RDONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, nil // gone, changed or leased by its user: the next run tries again
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return nil, err
	case err != nil:
		r.cleaner.foreign(id, "it cannot be read: "+err.Error())
		return nil, nil
	}
	m, why := r.parse(id, file)
	if why == "" {
		return m, nil
	}
	file.Close()
	if why != tryLater {
		r.cleaner.foreign(id, why)
	}
	return nil, nil
}

// tryLater is no reason to clear a file away: the next run looks at it again.
const tryLater = "try later"

// parse takes an open file apart and says what is wrong with it.
func (r *run) parse(id string, file fsys.File) (m *message, why string) {
	st, err := file.Stat()
	if err != nil {
		return nil, "it cannot be read: " + err.Error()
	}
	if why := r.whyForeign(st); why != "" {
		return nil, why
	}
	if st.Mode != modeComplete {
		return nil, tryLater
	}
	if m, err = parse(file, st.Size); err != nil {
		return nil, err.Error()
	}
	if m.file, m.uid = file, st.UID; string(m.env.ID) != id {
		return nil, "it is message " + string(m.env.ID)
	}
	return m, ""
}
