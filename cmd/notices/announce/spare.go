package announce

import (
	"fmt"
	"os"
	"path/filepath"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
)

// Spares are where what was told is kept when the spool cannot be written, or is not
// known: the first of the folders that takes a file. TMPDIR may name one that is gone (of
// a session that ended), and a disk that is full may be that of /tmp as well.
func Spares(p *app.Program) []spool.State {
	path, _ := config.Find(p.Config, p.Getenv)
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	name := fmt.Sprintf("notices-%d-%s.alerts", os.Geteuid(), hash(path))
	var list []spool.State
	for _, dir := range []string{p.Getenv("TMPDIR"), "/tmp", "/var/tmp", p.Getenv("XDG_STATE_HOME"), p.Getenv("XDG_RUNTIME_DIR"), "/run"} {
		if filepath.IsAbs(dir) {
			list = append(list, alert.FileState{Path: filepath.Join(dir, name)})
		}
	}
	if home := p.Getenv("HOME"); filepath.IsAbs(home) {
		list = append(list, alert.FileState{Path: filepath.Join(home, "."+name)})
	}
	return list
}
