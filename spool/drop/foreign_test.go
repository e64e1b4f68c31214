package drop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
)

// put puts a file into the drop, as some program of a user might.
func put(t *testing.T, dir, name string, content []byte, mode os.FileMode) {
	t.Helper()
	full := filepath.Join(dir, Name, name)
	must(t, os.WriteFile(full, content, 0o600))
	must(t, os.Chmod(full, mode))
}

// TestForeignThings: whatever lies in the drop, the message beside it is sent, nothing
// is followed or waited for, files go aside, what has no content is removed, and the log
// says so.
func TestForeignThings(t *testing.T) {
	const id = "1P018WH5G00273CT"
	good := forged(envelope(t, nil), body)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, good, 0o640))
	in := func(dir, name string) string { return filepath.Join(dir, Name, name) }
	with := func(change func(*spool.Envelope), text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, dir, id, forged(envelope(t, change), text), modeComplete) }
	}
	for name, c := range map[string]struct {
		lay  func(*testing.T, string)
		want string // in the log; empty: it stays in the drop
	}{
		"a stranger's name": {func(t *testing.T, d string) { put(t, d, "-rf\n*", good, modeComplete) }, "its name is not one"},
		"a dot name":        {func(t *testing.T, d string) { put(t, d, ".forward", good, modeComplete) }, "its name is not one"},
		"a derived id":      {func(t *testing.T, d string) { put(t, d, id+"-1", good, modeComplete) }, "its name is not one"},
		"another's name":    {func(t *testing.T, d string) { put(t, d, "1P018WH5G00273CX", good, modeComplete) }, "it is message"},
		"a link":            {func(t *testing.T, d string) { must(t, os.Symlink(secret, in(d, id))) }, noFile},
		"a link to nowhere": {func(t *testing.T, d string) { must(t, os.Symlink("/nowhere", in(d, id))) }, noFile},
		"a fifo":            {func(t *testing.T, d string) { must(t, unix.Mkfifo(in(d, id), modeComplete)) }, noFile},
		"a socket":          {func(t *testing.T, d string) { must(t, unix.Mknod(in(d, id), unix.S_IFSOCK|modeComplete, 0)) }, noFile},
		"a second name":     {secondName, "it has another name"},
		"readable by all":   {func(t *testing.T, d string) { put(t, d, id, good, 0o644) }, "its mode is 0644"},
		"writable by us":    {func(t *testing.T, d string) { put(t, d, id, good, 0o660) }, "its mode is 0660"},
		"empty":             {func(t *testing.T, d string) { put(t, d, id, nil, modeComplete) }, "cut short"},
		"a mail":            {func(t *testing.T, d string) { put(t, d, id, []byte(strings.Repeat(body, 9)), modeComplete) }, "not a message that notices handed in"},
		"cut short":         {func(t *testing.T, d string) { put(t, d, id, good[:len(good)-9], modeComplete) }, "its first line says otherwise"},
		"changed": {func(t *testing.T, d string) {
			put(t, d, id, []byte(strings.Replace(string(good), "back", "BACK", 1)), modeComplete)
		}, "checksum is wrong"},
		"huge":                    {huge, "octets"},
		"a NUL":                   {with(nil, body+"\x00\r\n"), "NUL"},
		"a long line":             {with(nil, body+strings.Repeat("x", 999)+"\r\n"), "999 octets"},
		"a long line further":     {with(nil, body+strings.Repeat("text\r\n", 20000)+strings.Repeat("x", 999)+"\r\n"), "999 octets"},
		"no header":               {with(nil, "\r\nPlease.\r\n"), "no header"},
		"no text":                 {with(nil, ""), "empty"},
		"no From at all":          {with(func(e *spool.Envelope) { e.Sender = "<x" }, body), "sender is malformed"},
		"a sender's command":      {with(func(e *spool.Envelope) { e.Sender = "a@b\r\nRCPT TO:<c@d>" }, body), "sender is malformed"},
		"a recipient's":           {with(func(e *spool.Envelope) { e.Recipients = []string{"a@b>\r\nDATA"} }, body), "recipient is malformed"},
		"a name without host":     {with(func(e *spool.Envelope) { e.Recipients = []string{"root"} }, body), "recipient is malformed"},
		"a reference's line":      {with(func(e *spool.Envelope) { e.Ref = "x\nqueued id=1" }, body), "reference"},
		"a folder":                {func(t *testing.T, d string) { must(t, os.Mkdir(in(d, id), 0o700)) }, noFile},
		"a folder with something": {func(t *testing.T, d string) { must(t, os.MkdirAll(in(d, id)+"/x/y", 0o700)) }, ""},
		"a folder by a dot":       {func(t *testing.T, d string) { must(t, os.Mkdir(in(d, ".x"), 0o700)) }, noFile},
		"being written":           {func(t *testing.T, d string) { put(t, d, id, good[:9], modeWriting) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := realSpool(t)
			c.lay(t, dir)
			d, err := fsys.Open(dir)
			must(t, err)
			defer d.Close()
			mine, err := handIn(d, plainRequest())
			must(t, err)
			var log strings.Builder
			sentIDs := ""
			for range 2 {
				must(t, flushAt(t.Context(), time.Now(), d, &log, func(id spool.ID, _ string) { sentIDs += string(id) }))
			}
			if sentIDs != string(mine) {
				t.Errorf("sent: %q, and %q was handed in", sentIDs, mine)
			}
			stays, err := os.ReadDir(filepath.Join(dir, Name))
			must(t, err)
			aside, err := os.ReadDir(filepath.Join(dir, asideDir))
			must(t, err)
			lines := strings.Count("\n"+log.String(), "\naside ") + strings.Count(log.String(), "trouble")
			if c.want == noFile {
				if len(stays) != 0 || len(aside) != 0 || lines != 0 || strings.Count("\n"+log.String(), "\nswept name=drop/") != 1 {
					t.Errorf("left %v, aside %v\n%s", stays, aside, &log)
				}
				return
			}
			if c.want == "" {
				if len(stays) != 1 || len(aside) != 0 || lines != 0 {
					t.Errorf("it is not left alone: %v %v\n%s", stays, aside, &log)
				}
				return
			}
			if len(stays) != 0 || len(aside) != 1 || lines != 1 || !strings.Contains(log.String(), c.want) {
				t.Errorf("left %v, aside %v, log without %q:\n%s", stays, aside, c.want, &log)
			}
			if len(aside) == 1 && strings.Trim(aside[0].Name(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
				t.Errorf("aside under the name %q", aside[0].Name())
			}
		})
	}
}

// secondName is a file that somebody linked into the drop.
func secondName(t *testing.T, dir string) {
	t.Helper()
	other := filepath.Join(dir, "other")
	must(t, os.WriteFile(other, forged(envelope(t, nil), body), modeComplete))
	must(t, os.Link(other, filepath.Join(dir, Name, "1P018WH5G00273CT")))
}

func huge(t *testing.T, dir string) {
	t.Helper()
	put(t, dir, "1P018WH5G00273CT", formatHead(1<<40, 2, 0), modeComplete)
	must(t, os.Truncate(filepath.Join(dir, Name, "1P018WH5G00273CT"), 1<<40)) // a hole
}

// TestForgedID: somebody hands a message in under the id of one that is stored.
func TestForgedID(t *testing.T) {
	disk := newDisk(t)
	id, err := handIn(disk.Open(nil), plainRequest())
	must(t, err)
	must(t, flush(disk.Open(nil), nil, nil)) // it waits in the store
	f, err := open(disk.Open(nil), "/spool")
	must(t, err)
	d, err := f.New(t.Context(), id)
	must(t, err)
	_, err = d.Write([]byte(body))
	must(t, err)
	must(t, d.Seal(spool.Envelope{Sender: "a@example.org", Recipients: []string{"victim@example.net"}, QueuedAt: noon}))
	_, err = f.Commit(t.Context(), d)
	must(t, err)
	var log strings.Builder
	counts := map[string]int{}
	must(t, flush(disk.Open(nil), &log, func(_ spool.ID, text string) { counts[text[len(text)-25:]]++ }))
	if len(counts) != 1 || len(disk.Names(asideDir)) != 1 || len(disk.Names(Name)) != 0 || !strings.Contains(log.String(), "another message has its id") {
		t.Errorf("sent %v, aside %v, log:\n%s", counts, disk.Names(asideDir), &log)
	}
}

// TestOddTimes: whatever a file says of its time, it is sent, and the time that is kept
// can be written down.
func TestOddTimes(t *testing.T) {
	for _, at := range []string{"0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2031-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00"} {
		for _, expires := range []string{"9999-12-31T23:59:59-10:00", "2032-01-01T00:00:00Z", ""} {
			disk := newDisk(t)
			env := strings.Replace(envelope(t, nil), noon.UTC().Format(time.RFC3339), at, 1)
			if expires != "" {
				env = strings.Replace(env, `"size"`, `"expires_at":"`+expires+`","size"`, 1)
			}
			f, err := disk.Open(nil).Open(path("1P018WH5G00273CT"), unix.O_WRONLY|unix.O_CREAT, modeComplete)
			must(t, err)
			_, err = f.Write(forged(env, body))
			must(t, err)
			var log strings.Builder
			sent := 0
			must(t, flush(disk.Open(nil), &log, func(spool.ID, string) { sent++ }))
			refused := strings.Contains(log.String(), "expired before")
			if wantRefused := at > "9" && expires != ""; refused != wantRefused || sent+len(disk.Names(asideDir)) != 1 {
				t.Errorf("queued %s, expires %s: sent %d times\n%s", at, expires, sent, &log)
			}
		}
	}
}

// TestOneTooLong: of many messages one does not fit into what room the store has. The
// others do not wait for it.
func TestOneTooLong(t *testing.T) {
	disk, ids := prepared(t)
	_, err := handIn(disk.Open(nil), intake.Request{Body: strings.NewReader(notice + strings.Repeat("more\n", 40000))})
	must(t, err)
	counts := 0
	full := crowded{disk.Open(nil)}
	var log strings.Builder
	must(t, flush(full, &log, func(spool.ID, string) { counts++ }))
	if counts != len(ids) || strings.Count(log.String(), "trouble") != 1 || len(disk.Names(Name)) != 1 {
		t.Errorf("%d messages were sent, %q wait\n%s", counts, disk.Names(Name), &log)
	}
	must(t, flush(disk.Open(nil), &log, func(spool.ID, string) { counts++ }))
	if counts != len(ids)+1 {
		t.Errorf("later: %d messages were sent", counts)
	}
}

// crowded is a disk whose room for the content of long files shows when it is synced, as
// on file systems that allocate late.
type crowded struct{ fsys.FS }

func (c crowded) Open(name string, flags int, perm uint32) (fsys.File, error) {
	f, err := c.FS.Open(name, flags, perm)
	if err != nil {
		return nil, err
	}
	return crowdedFile{f}, nil
}

type crowdedFile struct{ fsys.File }

func (f crowdedFile) Sync() error {
	if st, err := f.Stat(); err != nil || st.Size > 100_000 {
		return errors.Join(err, unix.ENOSPC)
	}
	return f.File.Sync()
}

// noFile: it is removed.
const noFile = "removed"

// TestFloodOfRubbish: a user makes very many files. The log stays short, some of them are kept,
// and mail goes out.
func TestFloodOfRubbish(t *testing.T) {
	disk := newDisk(t)
	for i := range 500 {
		disk.Write(fmt.Sprintf("%s/rubbish-%d", Name, i), []byte("x"))
	}
	id, err := handIn(disk.Open(nil), plainRequest())
	must(t, err)
	var log strings.Builder
	got := ""
	must(t, flush(bounded{disk.Open(nil), clearLimit}, &log, func(id spool.ID, _ string) { got += string(id) }))
	if n := strings.Count(log.String(), "\n"); got != string(id) || n > maxLogged+3 || !strings.Contains(log.String(), "480 more files are no messages") || len(disk.Names(asideDir)) != maxKept || len(disk.Names(Name)) != 0 {
		t.Errorf("sent %q, %d lines, %d aside:\n%s", got, n, len(disk.Names(asideDir)), &log)
	}
	disk.Write(Name+"/more", []byte("x"))
	must(t, flush(disk.Open(nil), &log, nil))
	if len(disk.Names(asideDir)) != maxKept || len(disk.Names(Name)) != 0 {
		t.Errorf("a run later: %d aside", len(disk.Names(asideDir)))
	}
}

// TestFloodOfNames: more than a run looks at, under names that messages have. What they cost a
// run is bounded, they go away, and the mail among them goes out, once: also that which
// a run had stored before it died.
func TestFloodOfNames(t *testing.T) {
	disk := newDisk(t)
	p := disk.Open(nil)
	const bound, flood = 10, 100
	for i := range flood {
		name := string(spool.NewID(noon.Add(-time.Duration(i) * time.Second)))
		if i%3 == 0 {
			name = "x" + name
		}
		f, err := p.Open(path(name), unix.O_WRONLY|unix.O_CREAT, 0o644)
		must(t, err)
		must(t, f.Close())
	}
	var want []string
	for range 20 {
		id, err := handIn(disk.Open(nil), plainRequest())
		must(t, err)
		want = append(want, string(id))
	}
	dead := disk.Open(func(s simfs.Step) error {
		if s.Op == "unlink" && strings.HasPrefix(s.Name, Name+"/") {
			return simfs.ErrDead
		}
		return nil
	})
	if err := flush(bounded{dead, bound}, nil, nil); !errors.Is(err, simfs.ErrDead) {
		t.Fatal(err)
	}
	disk.Kill(dead)
	counts := map[string]int{}
	for n := range 20 {
		before := len(disk.Names(Name))
		steps := 0
		counting := disk.Open(func(simfs.Step) error { steps++; return nil })
		must(t, flush(bounded{counting, bound}, nil, func(id spool.ID, _ string) { counts[string(id)]++ }))
		if steps > 400 {
			t.Errorf("run %d took %d steps", n, steps)
		}
		if left := len(disk.Names(Name)); left > max(before-bound, 0) {
			t.Errorf("run %d: %d names of %d are left", n, left, before)
		}
	}
	for _, id := range want {
		if counts[id] != 1 {
			t.Errorf("message %s was sent %d times", id, counts[id])
		}
	}
}
