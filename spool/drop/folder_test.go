package drop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	dir := t.TempDir()
	passwd, group := filepath.Join(dir, "passwd"), filepath.Join(dir, "group")
	must(t, os.WriteFile(passwd, []byte("root:x:0:0:root:/root:/bin/sh\nnotices:x:990:990::/:/bin/false\nann:x:1000:100:Ann:/home/ann:/bin/sh\nben:x:1001:100::/home/ben:\nbroken:line\n\n"), 0o600))
	must(t, os.WriteFile(group, []byte("root:x:0:\nnotices:x:990:\nusers:x:100:\nstaff:x:50:notices,ann\nempty:x:51:,\nshort:x\n"), 0o600))
	for _, c := range []struct {
		uid, gid uint32
		inside   bool
		others   string
	}{
		{990, 990, true, ""},
		{990, 100, false, "ann ben"},
		{1000, 100, true, "ben"},
		{990, 50, true, "ann"},
		{1001, 50, false, "notices ann"},
		{990, 51, false, ""},
		{4321, 4321, true, ""},
	} {
		inside, others := members(passwd, group, c.uid, c.gid)
		if inside != c.inside || strings.Join(others, " ") != c.others {
			t.Errorf("user %d in group %d: %v, others %v", c.uid, c.gid, inside, others)
		}
	}
	if got := userName(0) + groupName(0) + userName(4_000_000_000) + groupName(4_000_000_000) + lookUpUser(4_000_000_000); got != "rootroot40000000004000000000" {
		t.Errorf("names: %q", got)
	}
}

// TestWrongDrop: what is not as it must be is not used, by neither side.
func TestWrongDrop(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o733:                                 "its mode is 0733",
		0o777 | os.ModeSticky | os.ModeSetgid: "its mode is 3777",
		0o733 | os.ModeSticky:                 "its mode is 1733",
		0o733 | os.ModeSetgid:                 "its mode is 2733",
		0o700 | os.ModeSticky | os.ModeSetgid: "its mode is 3700",
		0o733 | os.ModeSticky | os.ModeSetgid | os.ModeSetuid: "its mode is 7733",
	} {
		dir := realSpool(t)
		must(t, os.Chmod(filepath.Join(dir, Name), mode))
		_, err := Open(dir)
		var p *Problem
		if !errors.As(err, &p) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(p.What, want) || !strings.Contains(p.Do, "install -d -o ") {
			t.Errorf("Open, %v: %v", mode, err)
		}
		if err := Check(dir); !errors.As(err, &p) {
			t.Errorf("Check, %v: %v", mode, err)
		}
		var log strings.Builder
		end, err := (&Collector{Dir: dir, Log: newLog(&log)}).Collect(t.Context())
		if must(t, err); end(true) != nil || !strings.Contains(log.String(), want) {
			t.Errorf("Take, %v: %s", mode, &log)
		}
	}
}

func TestNoDrop(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "to let all users queue mail, run as root: chmod 711 ") {
		t.Errorf("Open: %v", err)
	}
	n, err := Waiting(dir)
	if e := Check(dir); n != 0 || err != nil || e != nil {
		t.Errorf("Waiting: %d, %v; Check: %v", n, err, e)
	}
	end, err := (&Collector{Dir: dir}).Collect(t.Context())
	if must(t, err); end(true) != nil {
		t.Error("there is nothing to sync")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("made: %v", left)
	}
	must(t, os.WriteFile(filepath.Join(dir, Name), nil, 0o600))
	if err := Check(dir); err == nil || !strings.Contains(fmt.Sprint(err), "is not a folder") {
		t.Errorf("a file: %v", err)
	}
}

func TestWaiting(t *testing.T) {
	dir := realSpool(t)
	put(t, dir, "1P018WH5G00273CT", nil, modeComplete)
	put(t, dir, "1P018WH5G00273CX", nil, modeWriting)
	put(t, dir, "rubbish", nil, modeComplete)
	if n, err := Waiting(dir); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
