// Package secretfile reads the files that a config names for its passwords and keys, and says which
// of them cannot be used, with the one command that repairs each.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Max is the longest file that is read whole, in octets, without its line end.
const Max = 64 << 10

// OthersBits are the permissions of all users but the owner.
const OthersBits fs.FileMode = 0o077

// File is a file that a key of the config names.
type File struct {
	Path    string
	Private bool   // others must not be able to read or change it
	Spool   string // the folder whose owner sends the mail, and so has to read the file; may not exist
}

// Read reads the whole file, if Check finds it in order: at most Max octets, and a line end. Errors
// are those of Check. One that is fs.ErrPermission is no mistake in the config: another user can read
// the file, and sends the mail.
func (f File) Read() (string, error) {
	if err := f.Check(); err != nil {
		return "", err
	}
	file, err := os.Open(f.Path)
	var b []byte
	if err == nil {
		defer file.Close()
		b, err = io.ReadAll(io.LimitReader(file, Max+2))
	}
	if err != nil {
		return "", f.explain(err)
	}
	return string(b), nil
}

// Check looks at the file without opening it. The text of an error goes behind the name of the key.
func (f File) Check() error {
	info, err := os.Stat(f.Path)
	switch {
	case err != nil:
		return f.explain(err)
	case !info.Mode().IsRegular(): // reading a pipe would wait for ever
		return fmt.Errorf("names %s, which is not a regular file", f.Path)
	case f.Private && info.Mode()&OthersBits != 0:
		repair := "run: chmod 600 " + f.Path
		if f.foreign(info) {
			repair = f.give()
		}
		return errors.New("names a file that others can read or change; " + repair)
	}
	return nil
}

// explain puts a system error into words for a person. It stays the same for errors.Is.
func (f File) explain(err error) error {
	var inner *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &problem{"names a file that does not exist: " + f.Path, err}
	case errors.Is(err, fs.ErrPermission):
		return f.denied(err)
	case errors.As(err, &inner):
		return &problem{fmt.Sprintf("names %s, which cannot be read: %s", f.Path, inner.Err), err}
	}
	return &problem{fmt.Sprintf("names %s, which cannot be read: %s", f.Path, err), err}
}

type problem struct {
	msg string
	err error
}

func (e *problem) Error() string { return e.msg }
func (e *problem) Unwrap() error { return e.err }

// denied is about a file that this user may not read. That is a mistake in the config, and err is left
// out, if this user sends the mail; others may well be kept from reading it.
func (f File) denied(err error) error {
	info, failed := os.Stat(f.Path)
	if failed != nil {
		return &problem{fmt.Sprintf("names %s, which this user may not read: run notices as the owner of the file", f.Path), err}
	}
	sender, _ := f.sender()
	mine := sender == os.Geteuid()
	switch {
	case f.foreign(info):
		text := fmt.Sprintf("names %s, which belongs to %s and cannot be read by %s, who sends the mail; %s", f.Path, userName(owner(info)), userName(sender), f.give())
		if mine {
			return errors.New(text)
		}
		return &problem{text, err}
	case mine && owner(info) == sender:
		return fmt.Errorf("names %s, which its owner may not read; run: chmod 600 %s", f.Path, f.Path)
	}
	return &problem{fmt.Sprintf("names %s, which this user may not read: run notices as the owner of the file", f.Path), err}
}

// give is the command that makes the file the sender's.
func (f File) give() string {
	sender, _ := f.sender()
	return fmt.Sprintf("run as root: chown %s %s && chmod 600 %s", userName(sender), f.Path, f.Path)
}

// foreign reports whether the file belongs to a user who does not send the mail. While the spool does
// not exist, only root is known not to do so: any other owner may be the one who will.
func (f File) foreign(info fs.FileInfo) bool {
	sender, known := f.sender()
	return owner(info) != sender && (known || owner(info) == 0)
}

// sender is the user who sends the mail: the owner of the spool or, if that does not exist, this user.
func (f File) sender() (uid int, known bool) {
	if info, err := os.Stat(f.Spool); err == nil && info.IsDir() {
		return owner(info), true
	}
	return os.Geteuid(), false
}

// owner is the user that a file belongs to; -1: the system does not say.
func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// userName is the name of a user, or the number of one without a name.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}
