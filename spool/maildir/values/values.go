// Package values keeps the small values of package maildir: each a file of its name in a
// folder, replaced as a whole. An update holds the lock of .NAME.lock there, which stays:
// its lock dies with its process.
package values

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// Dir is the folder of the values.
const Dir = "state"

// Values are the values of one spool. They implement spool.State.
type Values struct{ FS fsys.FS }

const maxValue = 1 << 20

// Load implements spool.State.
func (s Values) Load(_ context.Context, name string) ([]byte, error) {
	path, err := statePath(name)
	if err != nil {
		return nil, err
	}
	return fsys.ReadFile(s.FS, path, maxValue)
}

func statePath(name string) (string, error) {
	if !spool.ID(name).Valid() {
		return "", fmt.Errorf("%q cannot name a state value", name)
	}
	return Dir + "/" + name, nil
}

// Update implements spool.State.
func (s Values) Update(_ context.Context, name string, sync bool, change func([]byte) ([]byte, error)) error {
	path, err := statePath(name)
	if err != nil {
		return err
	}
	lock, err := s.Lock(Dir + "/." + name + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	old, err := fsys.ReadFile(s.FS, path, maxValue)
	if err != nil {
		return err
	}
	value, err := change(old)
	switch {
	case err != nil:
		return err
	case value != nil:
		return fsys.WriteFile(s.FS, path, Dir+"/."+name+".new", value, sync)
	case old == nil:
		return nil
	}
	if err = s.FS.Unlink(path); err == nil && sync {
		err = s.FS.SyncDir(Dir)
	}
	return err
}

// Lock locks a file, which it makes if it is missing.
func (s Values) Lock(path string) (fsys.File, error) {
	open := func() (fsys.File, error) { return s.FS.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600) }
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.FS.Mkdir(Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		f, err = open()
	}
	if err != nil {
		return nil, err
	}
	if err := f.Lock(true); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
