package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"notices/cmd/internal/submit"
	"notices/config"
)

// draft is a config in the making: nothing of it is on disk until write.
type draft struct {
	path    string
	set     []config.Setting
	secrets []secretFile
	replace bool // a config that is there is moved aside
	owner   int  // who is to have the files; 0: whoever writes them
	moved   string
}

// secretFile is a password on its way into a file of its own.
type secretFile struct {
	server int // which [[server]]
	path   string
	secret string
}

// put sets a key of a section that there is one of.
func (d *draft) put(section, key string, value any) {
	d.set = append(d.set, config.Setting{Section: section, Key: key, Value: value})
}

// putServer sets a key of the nth server.
func (d *draft) putServer(n int, key string, value any) {
	d.set = append(d.set, config.Setting{Section: "server", N: n, Key: key, Value: value})
}

// putPassword gives a server a file for its password: one that is not there yet.
func (d *draft) putPassword(n int, secret string) {
	path := d.free("server" + strconv.Itoa(n) + ".password")
	d.putServer(n, "password_file", path)
	d.secrets = append(d.secrets, secretFile{n, path, secret})
}

// free is a name in the config's folder that nothing has.
func (d *draft) free(name string) string {
	dir, err := filepath.Abs(filepath.Dir(d.path))
	if err != nil { // the working folder is gone
		dir = filepath.Dir(d.path)
	}
	for n := 1; ; n++ {
		path := filepath.Join(dir, name)
		if n > 1 {
			path += "-" + strconv.Itoa(n)
		}
		if !exists(path) {
			return path
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// config is what the draft means, as if it had been written.
func (d *draft) config() (*config.Config, error) {
	return config.Parse(d.path, config.Template(d.set...))
}

// write puts the files where they belong, the secrets first and the config last:
// each whole or not at all, and none over another. When it fails nothing is left.
func (d *draft) write() error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return cannotMake(d.path, err)
	}
	if !d.replace && exists(d.path) {
		return alreadyThere(d.path)
	}
	var made []string
	undo := func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	for _, s := range d.secrets {
		if err := d.place(s.path, []byte(s.secret+"\n"), 0o600, false); err != nil {
			undo()
			return err
		}
		made = append(made, s.path)
	}
	if err := d.place(d.path, config.Template(d.set...), configMode(), d.replace); err != nil {
		undo()
		return err
	}
	return syncFolder(filepath.Dir(d.path))
}

// configMode is 0644 for root: that configuration is the machine's, and every user who
// queues mail through drop/ reads it; secrets are in files of their own, and a password
// put into a file that others can read is refused. A user's own stays the user's.
func configMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o644
	}
	return 0o600
}

// place writes a file under a name of its own and then gives it its own.
func (d *draft) place(path string, data []byte, mode fs.FileMode, replace bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return cannotMake(path, err)
	}
	defer os.Remove(f.Name()) // gone by then, unless something went wrong
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && d.owner > 0 {
		err = f.Chown(d.owner, -1)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return cannotMake(path, err)
	}
	if replace && exists(path) {
		return d.supplant(f.Name(), path)
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(path)
	}
	if err != nil {
		return cannotMake(path, err)
	}
	return nil
}

// supplant keeps what is there under another name. There is a whole file at path
// all the while.
func (d *draft) supplant(fresh, path string) error {
	d.moved = d.free(filepath.Base(path) + ".old")
	err := os.Link(path, d.moved)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return cannotMake(path, err)
	}
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func alreadyThere(path string) error {
	return submit.Fail(submit.ExitCannotMake, "%s is there already and stays as it is; see whether it is in order by: notices check", path)
}

func cannotMake(path string, err error) error {
	code := submit.StoreCode(err)
	if code == submit.ExitIO {
		code = submit.ExitCannotMake
	}
	return &submit.Failure{Code: code, Err: fmt.Errorf("%s cannot be written: %w", path, err)}
}
