package drop

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"notices/spool/internal/fsys"
	"notices/spool/printable"
)

// Name is that of the folder, within the spool.
const Name = "drop"

// Mode is what the folder must have, exactly: its owner may do everything, anybody
// may enter it and make files, nobody but the owner (and root) may list it; sticky, so
// that nobody can remove or rename another's file; setgid, so that files made in it
// get its group.
const Mode = 0o3733

// Problem is a drop that is not used, or does not exist, and how an administrator mends it.
type Problem struct {
	What string
	Do   string // with a command line, if one helps; may be empty
	Junk bool   // somebody left it there, and it holds up no mail
}

func (p *Problem) Error() string {
	if p.Do == "" {
		return p.What
	}
	return p.What + "; " + p.Do
}

const asRoot = "run as root: "

// Unwrap makes it a matter of permission: exit 77.
func (p *Problem) Unwrap() error { return fs.ErrPermission }

// examine looks at the folder. d is the spool. The error is a *Problem if the folder exists
// and is not as it must be, fs.ErrNotExist if it does not exist.
func examine(d fsys.FS, dir string) (owner, st fsys.Info, err error) {
	if owner, err = d.Stat("."); err != nil {
		return owner, st, err
	}
	if st, err = d.Stat(Name); err != nil {
		return owner, st, err
	}
	var wrong string
	switch {
	case !st.Dir:
		return owner, st, &Problem{What: fmt.Sprintf("%s is not a folder, so no mail can be handed in there; move it away", filepath.Join(dir, Name))}
	case st.UID != owner.UID:
		wrong = fmt.Sprintf("it belongs to user %s, the spool to %s", userName(st.UID), userName(owner.UID))
	case st.GID != owner.GID:
		wrong = fmt.Sprintf("it belongs to group %s, the spool to %s", groupName(st.GID), groupName(owner.GID))
	case st.Mode != Mode:
		wrong = fmt.Sprintf("its mode is %04o and must be %04o", st.Mode, Mode)
	default:
		return owner, st, nil
	}
	return owner, st, &Problem{
		What: fmt.Sprintf("%s, where users hand mail in, is not used: %s", filepath.Join(dir, Name), wrong),
		Do:   asRoot + installCommand(dir, owner),
	}
}

// installCommand makes the folder, or corrects one that exists.
func installCommand(dir string, owner fsys.Info) string {
	return fmt.Sprintf("install -d -o %s -g %s -m %04o %s", userName(owner.UID), groupName(owner.GID), Mode, printable.ShellQuote(filepath.Join(dir, Name)))
}

// cannotHandIn says to users why their mail cannot be handed in. owner is the spool, as
// far as it could be looked at.
func cannotHandIn(dir string, owner fsys.Info, cause error) error {
	if p := (*Problem)(nil); errors.As(cause, &p) {
		return p
	}
	p := &Problem{What: "this user may not write to the spool " + dir}
	if info, err := os.Stat(dir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = fsys.Info{UID: st.Uid, GID: st.Gid, Dir: true}
		}
	}
	if owner.Dir {
		may := "root"
		if owner.UID != 0 {
			may = userName(owner.UID) + " and root"
		}
		p.What += ", only " + may + " may"
		p.Do = "to let all users queue mail, " + asRoot + "chmod 711 " + printable.ShellQuote(dir) + " && " + installCommand(dir, owner)
	}
	return p
}

// Check looks at the drop as an administrator would. It returns nil if there is no drop, or
// one that works and keeps its users' mail apart.
func Check(dir string) error {
	d, err := fsys.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	owner, _, err := examine(d, dir)
	if err == nil {
		err = checkAround(d, dir, owner)
	}
	if err == nil {
		err = checkWithin(d, dir)
	}
	return ignoreMissing(err)
}

// checkAround looks at what is beside the drop: others must be able to come that far,
// and no further; and its group must be its owner's alone.
func checkAround(d fsys.FS, dir string, owner fsys.Info) error {
	drop := filepath.Join(dir, Name)
	if owner.Mode&0o001 == 0 {
		return &Problem{What: drop + " cannot be reached by the users that it is for", Do: asRoot + "chmod 711 " + printable.ShellQuote(dir)}
	}
	var open []string
	for _, name := range []string{"tmp", "cur", "failed", "aside", "state", "import"} {
		if st, err := d.Stat(name); err == nil && st.Mode&0o077 != 0 {
			open = append(open, printable.ShellQuote(filepath.Join(dir, name)))
		}
	}
	if len(open) > 0 {
		return &Problem{What: "users who come to " + drop + " find other folders of the spool open", Do: asRoot + "chmod 700 " + strings.Join(open, " ")}
	}
	inside, others := members(passwdFile, groupFile, owner.UID, owner.GID)
	switch {
	case len(others) > 0:
		return &Problem{What: fmt.Sprintf("what is handed in at %s can be read by other members of its group %s: %s",
			drop, groupName(owner.GID), strings.Join(others, ", ")), Do: "give the spool a group of its own"}
	case !inside && owner.UID != 0:
		return &Problem{What: fmt.Sprintf("user %s, the owner of %s, is not a member of its group %s and cannot read what is handed in there",
			userName(owner.UID), drop, groupName(owner.GID))}
	}
	return nil
}

// checkWithin names what no flush can move away, since moving a folder takes the right to
// write to it.
func checkWithin(d fsys.FS, dir string) error {
	var found error
	err := d.List(Name, func(name []byte) bool {
		st, err := d.Stat(path(string(name)))
		if err == nil && st.Dir {
			found = &Problem{
				What: fmt.Sprintf("user %s made a folder in %s; it contains no mail and delays none", userName(st.UID), filepath.Join(dir, Name)),
				Do:   asRoot + "rm -r " + printable.ShellQuote(filepath.Join(dir, Name, string(name))),
				Junk: true,
			}
		}
		return found == nil
	})
	return cmp.Or(err, found)
}

// Waiting counts the messages that were handed in and not collected yet, and those being
// written. It is 0 if there is no drop.
func Waiting(dir string) (n int, err error) {
	d, err := fsys.Open(dir)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	err = d.List(Name, func(name []byte) bool {
		if isMessageName(name) {
			n++
		}
		return true
	})
	return n, ignoreMissing(err)
}
