package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
)

func configOf(path, dir string) *config.Config {
	cfg := &config.Config{Path: path}
	cfg.Spool.Dir = dir
	return cfg
}

// TestSpoolOwner: the owner is that of the folder, or of the one that it would be made in.
func TestSpoolOwner(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "spool"), 0o700))
	must(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(os.Symlink("spool", filepath.Join(dir, "link")))
	must(os.Symlink("loop", filepath.Join(dir, "loop")))
	me := uint32(os.Getuid())
	for name, want := range map[string]error{
		"spool": nil, "link": nil, "not/yet/there": nil, "./spool/../spool/": nil,
		"file": spool.ErrNoSpool, "file/spool": spool.ErrNoSpool, "loop": unix.ELOOP,
	} {
		owner, err := spoolOwner(configOf("/x/notices.toml", dir+"/"+name))
		if !errors.Is(err, want) || err == nil && owner.uid != me {
			t.Errorf("%s: %+v, %v; want %v", name, owner, err, want)
		}
	}
}

// TestNoSetup: a service's spool is not made in passing.
func TestNoSetup(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "spool")
	_, err := spoolOwner(configOf(config.SystemFile, missing))
	if ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "set notices up first") {
		t.Errorf("%v (%d)", err, ExitCode(err))
	}
	if _, err := os.Lstat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestTrust(t *testing.T) {
	const folder, link = unix.S_IFDIR | 0o755, unix.S_IFLNK | 0o777
	at := func(uid, mode uint32) pathStep { return pathStep{"/x", Owner{uid, uid}, mode} }
	for name, c := range map[string]struct {
		owner uint32
		steps []pathStep
		good  bool
	}{
		"root's":                      {0, []pathStep{at(0, folder), at(0, folder)}, true},
		"in /tmp":                     {0, []pathStep{at(0, unix.S_IFDIR|0o1777), at(0, folder)}, true},
		"root's, through root's link": {0, []pathStep{at(0, folder), at(0, link), at(0, folder)}, true},
		"root's, through a link":      {0, []pathStep{at(0, folder), at(7, link), at(0, folder)}, false},
		"root's, in a home":           {0, []pathStep{at(0, folder), at(7, folder), at(0, folder)}, false},
		"root's, open to all":         {0, []pathStep{at(0, unix.S_IFDIR|0o777), at(0, folder)}, false},
		"a user's":                    {7, []pathStep{at(0, folder), at(7, folder), at(7, link), at(7, folder)}, true},
		"a user's, in another home":   {7, []pathStep{at(0, folder), at(8, folder), at(7, folder)}, false},
		"a user's, through a link":    {7, []pathStep{at(0, folder), at(8, link), at(7, folder)}, false},
	} {
		if err := checkTrusted("/spool", c.owner, c.steps); (err == nil) != c.good || err != nil && ExitCode(err) != ExitPermission {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecides(t *testing.T) {
	dir, stranger := t.TempDir(), &Owner{4321, 4321}
	if stranger.Controls("/etc") || stranger.Controls("/proc/self/fd/0") {
		t.Error("a stranger decides what is in /etc")
	}
	me := &Owner{uint32(os.Getuid()), 0}
	if !me.Controls(filepath.Join(dir, "x")) {
		t.Error("who owns a folder has no say in it")
	}
}
