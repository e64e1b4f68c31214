package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool/printable"
)

// withOwnerHint adds to an error of permissions the command that an ordinary user has to run: as
// the owner of the first of the folders that belongs to another user than root, or as root
// if all are root's; or the one that gives an owner the own folder back.
func withOwnerHint(err error, dirs ...string) error {
	if !errors.Is(err, fs.ErrPermission) || os.Geteuid() == 0 {
		return err
	}
	found, owner := false, 0
	for _, dir := range dirs {
		var st unix.Stat_t
		switch {
		case unix.Stat(dir, &st) != nil || found && owner != 0:
			continue
		case int(st.Uid) != os.Geteuid():
		case st.Mode&0o700 != 0o700:
			return fmt.Errorf("%w; its owner may not use it; run: chmod u+rwx %s", err, printable.ShellQuote(dir))
		default:
			continue
		}
		found, owner = true, int(st.Uid)
	}
	if !found {
		return err
	}
	name := "root"
	if u, e := user.LookupId(strconv.Itoa(owner)); e == nil {
		name = u.Username
	} else if owner != 0 {
		return err
	}
	return fmt.Errorf("%w; the mail belongs to the user %s, so run: sudo -u %s %s", err, name, name, thisCommand())
}

// thisCommand is the command line, as far as it can be typed as it is shown.
func thisCommand() string {
	words := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	for i, w := range words {
		if w == "" || printable.ShellQuote(w) != w {
			return strings.Join(words[:i], " ") + " ..."
		}
	}
	return strings.Join(words, " ")
}

// systemFolders are those of a machine's configuration and spool.
func systemFolders() []string { return []string{filepath.Dir(config.SystemFile), config.SystemSpool} }
