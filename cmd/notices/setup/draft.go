package setup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/config/document"
)

// draft is a config in the making: nothing of it is on disk until write.
type draft struct {
	path    string
	old     []byte // the config that is changed; nil: a new one is made
	set     []config.Setting
	removed []config.Setting // from old
	secrets []secretFile
	replace bool // a config that is there is moved aside
	owner   int  // of the files; 0: the user who runs init
	moved   string
}

// secretFile is a password that gets a file of its own.
type secretFile struct {
	server int // which [[server]]
	path   string
	secret string
}

// put sets a key of a section that can be there once.
func (d *draft) put(section, key string, value any) {
	d.set = append(d.set, config.Setting{Section: section, Key: key, Value: value})
}

// putServer sets a key of the nth server. One that is empty, 0 or false is left out.
func (d *draft) putServer(n int, key string, value any) {
	if value == "" || value == 0 || value == false {
		d.removed = append(d.removed, config.Setting{Section: "server", N: n, Key: key})
		return
	}
	d.set = append(d.set, config.Setting{Section: "server", N: n, Key: key, Value: value})
}

// putPassword gives a server a new file for its password.
func (d *draft) putPassword(n int, secret string) {
	path := d.unusedName("server" + strconv.Itoa(n) + ".password")
	d.putServer(n, "password_file", path)
	d.secrets = append(d.secrets, secretFile{n, path, secret})
}

// unusedName is an unused name in the config's folder.
func (d *draft) unusedName(name string) string {
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

// config reads the draft as if it had been written. With an error in a value it returns the
// rest.
func (d *draft) config() (*config.Config, error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	return config.Parse(d.path, text)
}

func (d *draft) text() ([]byte, error) {
	if d.old == nil {
		return config.Template(d.set...), nil
	}
	text, err := document.Edit(d.old, d.set, d.removed)
	if err != nil {
		return nil, app.Fail(app.ExitCannotMake, "%s %w; nothing was written", d.path, err)
	}
	return text, nil
}

// write writes the secrets and then the config, each completely or not at all. It overwrites
// nothing, and leaves nothing if it fails.
func (d *draft) write() (err error) {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return cannotMake(d.path, err)
	}
	if !d.replace && exists(d.path) {
		return alreadyThere(d.path)
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	var made []string
	defer func() {
		for i := 0; i < len(made) && err != nil; i++ {
			os.Remove(made[i])
		}
	}()
	for _, s := range d.secrets {
		if err := d.writeFile(s.path, []byte(s.secret+"\n"), 0o600, d.owner, false); err != nil {
			return err
		}
		made = append(made, s.path)
	}
	mode, owner := d.configMode()
	if err := d.writeFile(d.path, text, mode, owner, d.replace); err != nil {
		return err
	}
	made = nil
	return syncFolder(filepath.Dir(d.path))
}

// configMode is mode and owner of the config: those of the one that is changed; else 0644
// for root: that configuration is the machine's, and every user who queues mail through
// drop/ reads it; secrets are in files of their own, and a password put into a file that
// others can read is refused. A user's own stays the user's.
func (d *draft) configMode() (fs.FileMode, int) {
	var st unix.Stat_t
	if d.old != nil && unix.Stat(d.path, &st) == nil {
		return fs.FileMode(st.Mode).Perm(), int(st.Uid)
	}
	if os.Geteuid() == 0 {
		return 0o644, d.owner
	}
	return 0o600, d.owner
}

// writeFile writes a file under a temporary name and then renames it.
func (d *draft) writeFile(path string, data []byte, mode fs.FileMode, owner int, replace bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return cannotMake(path, err)
	}
	defer os.Remove(f.Name()) // gone by then, unless something went wrong
	_, err = f.Write(data)
	err = cmp.Or(err, f.Chmod(mode))
	if owner > 0 && os.Geteuid() == 0 {
		err = cmp.Or(err, f.Chown(owner, -1))
	}
	err = cmp.Or(err, f.Sync(), f.Close())
	switch {
	case err != nil:
	case replace && exists(path):
		// What is there is kept under another name. There is a whole file at path all the while.
		d.moved = d.unusedName(filepath.Base(path) + ".old")
		if err = os.Link(path, d.moved); err == nil {
			err = os.Rename(f.Name(), path)
		}
	default:
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			return alreadyThere(path)
		}
	}
	return cannotMake(path, err)
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
	return app.Fail(app.ExitCannotMake, "%s exists already and was not changed; to check it, run: notices%s check", path, configOption(path))
}

func cannotMake(path string, err error) error {
	if err == nil {
		return nil
	}
	code := app.StoreCode(err)
	if code == app.ExitIO {
		code = app.ExitCannotMake
	}
	return &app.Failure{Code: code, Err: fmt.Errorf("%s cannot be written: %w", path, err)}
}

// serviceUser is the user of the machine's configuration; scripts/setup makes it.
const serviceUser = "notices"

// needsSetup refuses to write the machine's configuration before the user of the service
// exists: that user could not use files that root makes now.
func needsSetup(path string) error {
	if filepath.Clean(path) != config.SystemFile || os.Geteuid() != 0 || exists(config.SystemSpool) {
		return nil
	}
	if _, err := user.Lookup(serviceUser); err == nil {
		return nil
	}
	return app.Fail(app.ExitConfig, "the user %s and the folder %s do not exist yet; nothing was written. Run first: %s",
		serviceUser, config.SystemSpool, app.SetupScript())
}

// spoolOwner is the user that the files of a draft will belong to when root writes it: the
// owner of the spool, else the user of the service if it is the machine's configuration.
// 0: root.
func (d *draft) spoolOwner() int {
	if os.Geteuid() != 0 {
		return 0
	}
	cfg, err := d.config()
	if cfg == nil && err != nil {
		return 0
	}
	var st unix.Stat_t
	if unix.Stat(cfg.Spool.Dir, &st) == nil {
		return int(st.Uid)
	}
	if u, err := user.Lookup(serviceUser); err == nil && d.path == config.SystemFile {
		uid, _ := strconv.Atoi(u.Uid)
		return uid
	}
	return 0
}

// ownerName names the user who can read the files.
func (d *draft) ownerName() string {
	if d.owner == 0 {
		return "its owner"
	}
	return UserName(d.owner)
}

// UserName is what sudo -u takes: the user's name, or #UID for one without.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("'#%d'", uid)
}
