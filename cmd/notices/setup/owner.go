package setup

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"notices/cmd/internal/app"
	"notices/config"
)

// serviceUser is the user whose mail goes out by the machine's configuration: `setup`
// makes one of that name.
const serviceUser = "notices"

// needsSetup refuses to write the machine's configuration while nobody is there to run
// by it: files that root makes first would be in the service's way.
func needsSetup(path string) error {
	if filepath.Clean(path) != config.SystemFile || os.Geteuid() != 0 || exists(config.SystemSpool) {
		return nil
	}
	if _, err := user.Lookup(serviceUser); err == nil {
		return nil
	}
	return app.Fail(app.ExitConfig, "there is no user %s and no %s yet; nothing was written. Run first: %s",
		serviceUser, config.SystemSpool, app.SetupScript())
}

// spoolOwner is who has to have the files of a draft that root writes: whose spool it is,
// else the user that runs the service, if the draft is the machine's. 0: root.
func (d *draft) spoolOwner() int {
	if os.Geteuid() != 0 {
		return 0
	}
	cfg, err := d.config()
	if cfg == nil && err != nil {
		return 0
	}
	if info, err := os.Stat(cfg.Spool.Dir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return int(st.Uid)
		}
	}
	if u, err := user.Lookup(serviceUser); err == nil && d.path == config.SystemFile {
		uid, _ := strconv.Atoi(u.Uid)
		return uid
	}
	return 0
}

// ownerName is what to call who can read the files that were written.
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
