package drop

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// found is a file that may be a message: open, and taken apart.
type found struct {
	taken
	name string
	file fsys.File
}

func (f *found) close() { f.file.Close() }

// plainName reports whether a name is an id.
func plainName(name []byte) bool { return plain(spool.ID(name)) }

// read opens a file and takes it apart. nil: it is none for this run, whatever was to
// be done with it is done; the error ends the run.
func (r *run) read(name string) (*found, error) {
	id, set := strings.CutPrefix(name, sweeping)
	if !plain(spool.ID(id)) {
		r.strange(name, "its name is not one that notices gives")
		return nil, nil
	}
	if set && !r.resume(id) {
		return nil, nil
	}
	st, err := r.fs.Stat(path(id))
	wrong := r.wrong(st)
	switch {
	case err != nil:
		r.left(id, err)
	case wrong != "":
		r.foreign(id, st, wrong)
	case st.Mode == writing:
		r.sweep(id, st)
	default:
		return r.open(id)
	}
	return nil, nil
}

// wrong says what keeps a file from being a message, whatever its content; "": nothing.
func (r *run) wrong(st fsys.Info) string {
	switch {
	case !st.Regular:
		return "it is no file"
	case st.Links != 1:
		return "it has another name elsewhere"
	case st.GID != r.gid:
		return "it was not made here"
	case st.Mode != writing && st.Mode != complete:
		return fmt.Sprintf("its mode is %04o", st.Mode)
	case r.MaxSize > 0 && st.Size > r.MaxSize+int64(headSize)+maxEnvelope:
		return fmt.Sprintf("it has %d octets", st.Size)
	}
	return ""
}

// open opens what looked like a message, and looks again: between the two its user may
// have put something else there.
func (r *run) open(id string) (*found, error) {
	file, err := r.fs.Open(path(id), unix.O_RDONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, nil // gone, changed or leased by its user: the next run sees
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return nil, err
	case err != nil:
		r.strange(id, "it cannot be read: "+err.Error())
		return nil, nil
	}
	f := &found{name: id, file: file}
	wrong := r.parse(f)
	if wrong == "" {
		return f, nil
	}
	f.close()
	if wrong != notNow {
		r.strange(id, wrong)
	}
	return nil, nil
}

// notNow: the next run sees.
const notNow = "not now"

// parse takes an open file apart and says what is wrong with it.
func (r *run) parse(f *found) (wrong string) {
	st, err := f.file.Stat()
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	f.uid = st.UID
	if wrong := r.wrong(st); wrong != "" {
		return wrong
	}
	if st.Mode != complete {
		return notNow
	}
	if f.letter, err = parse(f.file, st.Size); err != nil {
		return err.Error()
	}
	if string(f.env.ID) != f.name {
		return "it is message " + string(f.env.ID)
	}
	return ""
}

// left says that a name was left alone, for a reason that is not its user's affair.
func (r *run) left(name string, err error) {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		r.trouble(name, err)
	}
}

// strange is foreign of what has not been looked at.
func (r *run) strange(name, why string) {
	st, err := r.fs.Stat(path(name))
	if err != nil {
		r.left(name, err)
		return
	}
	r.foreign(name, st, why)
}

// foreign clears away what is no message, so much in a run: a file goes to aside/, what has
// no content is removed. A folder that is not empty only its owner can move elsewhere; it gets
// a name that costs no more than its listing. Check names it.
func (r *run) foreign(name string, st fsys.Info, why string) {
	if r.tired() {
		return
	}
	r.junk++
	var err error
	switch {
	case st.Regular && r.mayKeep():
		r.aside(name, st.UID, why)
		return
	case st.Dir:
		err = r.fs.RemoveDir(path(name))
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			if plainName([]byte(name)) {
				_ = r.fs.Rename(path(name), path("folder-"+string(spool.NewID(r.now)))) // or it stays
			}
			return
		}
	default:
		err = r.unlink(name)
	}
	if err != nil {
		r.left(name, err)
		return
	}
	r.anomaly(spool.Anomaly{Name: path(name), Why: why + ", from user " + r.userOrNumber(st.UID)})
}

// keeping is how many files that others put into the drop are kept in aside/.
const keeping = 100

// mayKeep counts one more.
func (r *run) mayKeep() bool {
	if r.kept < 0 {
		r.kept = 0
		err := r.fs.List(asideDir, func(name []byte) bool {
			if bytes.HasPrefix(name, []byte(spool.FromDrop)) {
				r.kept++
			}
			return r.kept < keeping
		})
		if ignoreMissing(err) != nil {
			r.kept = keeping
		}
	}
	r.kept++
	return r.kept <= keeping
}

func (r *run) userOrNumber(uid uint32) string {
	if name := r.userName(uid); name != "" {
		return name
	}
	return fmt.Sprint(uid)
}

// told is how many files a run names in the log: a user can make very many.
const told = 20

// trouble says what went wrong with a name.
func (r *run) trouble(name string, err error) {
	if r.named++; r.named <= told {
		r.Log.Trouble(path(name), err)
	}
}

// aside moves a name to aside/. If it cannot, that is no reason to stop.
func (r *run) aside(name string, uid uint32, why string) {
	moved, err := r.moveAside(name, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return // its user was faster
	}
	why += ", from user " + r.userOrNumber(uid)
	if err != nil {
		r.trouble(name, fmt.Errorf("%s, and cannot be moved to aside/: %w", why, err))
		return
	}
	r.anomaly(spool.Anomaly{Name: path(name), Moved: moved, Why: why})
}

func (r *run) anomaly(a spool.Anomaly) {
	if r.named++; r.named <= told {
		r.Log.Foreign(a)
	}
}

// refused moves a whole message that is not taken over to aside/, where a person may look.
func (r *run) refused(name string, uid uint32, why string) {
	if !r.tired() {
		r.junk++
		r.aside(name, uid, why)
	}
}

const asideDir = "aside"

// moveAside gives it a name that is harmless, whoever made up the old one, and free.
func (r *run) moveAside(name string, uid uint32) (moved string, err error) {
	moved = asideDir + "/" + spool.FromDrop + fmt.Sprint(uid) + "-" + harmless(name)
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

func harmless(name string) string {
	name = strings.Map(func(c rune) rune {
		if c == '.' || c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return '_'
	}, name)
	return name[:min(len(name), 100)]
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
