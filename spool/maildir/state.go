package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// state keeps each value as a file of its name. An update holds the lock of
// state/.NAME.lock, which stays: its lock dies with its process.
type state struct{ fs fsys.FS }

const maxValue = 1 << 20

func (s state) Load(_ context.Context, name string) ([]byte, error) {
	path, err := statePath(name)
	if err != nil {
		return nil, err
	}
	return fsys.ReadFile(s.fs, path, maxValue)
}

func statePath(name string) (string, error) {
	if !spool.ID(name).Valid() {
		return "", fmt.Errorf("%q cannot name a state value", name)
	}
	return stateDir + "/" + name, nil
}

func (s state) Update(_ context.Context, name string, sync bool, change func([]byte) ([]byte, error)) error {
	path, err := statePath(name)
	if err != nil {
		return err
	}
	lock, err := s.lock(stateDir + "/." + name + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	old, err := fsys.ReadFile(s.fs, path, maxValue)
	if err != nil {
		return err
	}
	value, err := change(old)
	switch {
	case err != nil:
		return err
	case value != nil:
		return fsys.WriteFile(s.fs, path, stateDir+"/."+name+".new", value, sync)
	case old == nil:
		return nil
	}
	if err = s.fs.Unlink(path); err == nil && sync {
		err = s.fs.SyncDir(stateDir)
	}
	return err
}

func (s state) lock(path string) (fsys.File, error) {
	open := func() (fsys.File, error) { return s.fs.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600) }
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.fs.Mkdir(stateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
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
