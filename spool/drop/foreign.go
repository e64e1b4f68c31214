package drop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

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
		r.foreign(name, notOurName)
		return nil, nil
	}
	if swept && !r.resume(id) {
		return nil, nil
	}
	st, err := r.fs.Stat(path(id))
	why := r.whyForeign(st)
	switch {
	case err != nil:
		r.skip(id, err)
	case why != "":
		r.clear(id, st, why)
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
		return "it is no file"
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
		r.foreign(id, "it cannot be read: "+err.Error())
		return nil, nil
	}
	m, why := r.parse(id, file)
	if why == "" {
		return m, nil
	}
	file.Close()
	if why != tryLater {
		r.foreign(id, why)
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

// skip leaves a name alone, and logs why unless its user did it.
func (r *run) skip(name string, err error) {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		r.logError(name, err)
	}
}

// foreign is clear for what has not been looked at.
func (r *run) foreign(name, why string) {
	st, err := r.fs.Stat(path(name))
	if err != nil {
		r.skip(name, err)
		return
	}
	r.clear(name, st, why)
}

// clearedEnough: the rest of what is to be cleared away waits for the next run.
func (r *run) clearedEnough() bool {
	return r.cleared >= r.clearLimit || r.cleared >= clearAtLeast && time.Now().After(r.clearUntil)
}

// clear clears away what is not a message, until it is enough for this run: a file goes to
// aside/, what has no content is removed. Only its owner can move a folder that is not empty
// elsewhere; it gets a name that costs no more than its listing, and Check names it.
func (r *run) clear(name string, st fsys.Info, why string) {
	if r.clearedEnough() {
		return
	}
	r.cleared++
	var err error
	switch {
	case st.Regular && r.mayKeep():
		r.moveAside(name, st.UID, why)
		return
	case st.Dir:
		err = r.fs.RemoveDir(path(name))
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			if isMessageName([]byte(name)) {
				_ = r.fs.Rename(path(name), path("folder-"+string(spool.NewID(r.now)))) // or it stays
			}
			return
		}
	default:
		err = r.unlink(name)
	}
	if err != nil {
		r.skip(name, err)
		return
	}
	r.logForeign(spool.Anomaly{Name: path(name), Why: why + r.fromUser(st.UID)})
}

// maxKept is how many files that others put into the drop are kept in aside/.
const maxKept = 100

// mayKeep counts one more.
func (r *run) mayKeep() bool {
	if r.kept < 0 {
		r.kept = 0
		err := r.fs.List(asideDir, func(name []byte) bool {
			if bytes.HasPrefix(name, []byte(spool.FromDrop)) {
				r.kept++
			}
			return r.kept < maxKept
		})
		if ignoreMissing(err) != nil {
			r.kept = maxKept
		}
	}
	r.kept++
	return r.kept <= maxKept
}

// userName is a user's name; empty if it is unknown.
func (r *run) userName(uid uint32) string {
	name, seen := r.userNames[uid]
	if !seen {
		name = lookUpUser(uid)
		r.userNames[uid] = name
	}
	return name
}

func (r *run) fromUser(uid uint32) string {
	return ", from user " + cmp.Or(r.userName(uid), number(uid))
}

// maxLogged is how many files a run names in the log: a user can make very many.
const maxLogged = 20

// logError logs what went wrong with a name.
func (r *run) logError(name string, err error) {
	if r.logged++; r.logged <= maxLogged {
		r.c.Log.Trouble(path(name), err)
	}
}

func (r *run) logForeign(a spool.Anomaly) {
	if r.logged++; r.logged <= maxLogged {
		r.c.Log.Aside(a)
	}
}

// refuse moves a whole message that is not collected to aside/, where a person may look.
func (r *run) refuse(name string, uid uint32, why string) {
	if !r.clearedEnough() {
		r.cleared++
		r.moveAside(name, uid, why)
	}
}

const asideDir = "aside"

// moveAside moves a name to aside/. If it cannot, that is no reason to stop.
func (r *run) moveAside(name string, uid uint32, why string) {
	moved, err := r.renameAside(name, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return // its user was faster
	}
	why += r.fromUser(uid)
	if err != nil {
		r.logError(name, fmt.Errorf("%s, and cannot be moved to aside/: %w", why, err))
		return
	}
	r.logForeign(spool.Anomaly{Name: path(name), Moved: moved, Why: why})
}

// renameAside moves a file to a name in aside/ that is free and safe to show, whoever made
// up the old one.
func (r *run) renameAside(name string, uid uint32) (moved string, err error) {
	moved = asideDir + "/" + spool.FromDrop + number(uid) + "-" + safeName(name)
	err = r.fs.Rename(path(name), moved)
	if errors.Is(err, fs.ErrNotExist) {
		if err = r.fs.Mkdir(asideDir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = r.fs.Rename(path(name), moved)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		moved += "-" + string(spool.NewID(r.now))
		err = r.fs.Rename(path(name), moved)
	}
	return moved, err
}

func safeName(name string) string {
	name = strings.Map(func(c rune) rune {
		if c == '.' || c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return '_'
	}, name)
	return name[:min(len(name), 100)]
}
