package historyfile

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool/printable"
)

// errNotAFile: something else has the name of a day.
var errNotAFile = errors.New("it is not a file (a link is not followed)")

// explain adds to an error about a name of the history what a person can do.
func (l *Log) explain(err error, name string) error {
	if st, e := l.FS.Stat(Dir); e == nil && !st.Dir {
		return l.moveAway(fmt.Errorf("it is not a folder (a link is not followed): %w", unix.ENOTDIR), Dir)
	}
	if st, e := l.FS.Stat(name); e == nil && !st.Regular && name != Dir {
		return l.moveAway(errNotAFile, name)
	}
	if l.Repair != nil {
		err = l.Repair(err, Dir, name)
	}
	return err
}

func (l *Log) moveAway(err error, name string) error {
	path := printable.ShellQuote(l.Dir + "/" + name)
	return fmt.Errorf("%w; run: mv %s %s.old", err, path, path)
}

// Check looks whether the history can be read and written, as far as that shows without writing
// and without reading all of it.
func (l *Log) Check() error {
	days, err := l.days()
	if err != nil {
		return fmt.Errorf("%s: %w", Dir, l.explain(err, Dir))
	}
	today := l.Now().UTC().Format(time.DateOnly)
	for _, day := range days {
		name := Dir + "/" + day
		f, err := l.FS.Open(name, unix.O_RDONLY, 0)
		if err == nil {
			st, e := f.Stat()
			if err = e; err == nil && !st.Regular {
				err = errNotAFile
			}
			f.Close()
		}
		if err == nil && day == today && !l.Off {
			if f, err = l.FS.Open(name, unix.O_WRONLY|unix.O_APPEND, 0); err == nil {
				f.Close()
			}
		}
		if ignoreMissing(err) != nil { // forgotten meanwhile
			return fmt.Errorf("%s: %w", name, l.explain(err, name))
		}
	}
	return nil
}
