package simfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool/internal/fsys"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, p *Process, name string, content string, sync bool) fsys.File {
	t.Helper()
	f, err := p.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	must(t, err)
	_, err = f.Write([]byte(content))
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	return f
}

// outcomes throws the dice many times and gathers what is found.
func outcomes(d *Disk, look func(*Disk) string) (seen []string) {
	for seed := range uint64(200) {
		s := look(d.PowerCut(rand.New(rand.NewPCG(seed, 0))))
		if !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	slices.Sort(seen)
	return seen
}

func where(names ...string) func(*Disk) string {
	return func(d *Disk) (found string) {
		for _, n := range names {
			if d.Read(n) != nil {
				found += n + " "
			}
		}
		return found
	}
}

func TestPowerCutKeepsJustWhatWasSynced(t *testing.T) {
	d := New()
	p := d.Open(nil)
	must(t, p.Mkdir("a", 0o700))
	must(t, p.Mkdir("b", 0o700))
	create(t, p, "a/x", "content", true)
	got := outcomes(d, where("a/x"))
	if !slices.Equal(got, []string{"", "a/x "}) {
		t.Errorf("a file whose folder was not synced: %q", got)
	}
	must(t, p.SyncDir("a"))
	if got := outcomes(d, where("a/x")); !slices.Equal(got, []string{"a/x "}) {
		t.Errorf("a file whose folder was synced: %q", got)
	}
	must(t, p.Rename("a/x", "b/x"))
	if got := outcomes(d, where("a/x", "b/x")); !slices.Equal(got, []string{"a/x ", "b/x "}) {
		t.Errorf("a rename is either there or not: %q", got)
	}
	must(t, p.SyncDir("b"))
	if got := outcomes(d, where("a/x", "b/x")); !slices.Equal(got, []string{"b/x "}) {
		t.Errorf("a rename whose target folder was synced: %q", got)
	}
	must(t, p.Unlink("b/x"))
	must(t, p.SyncDir("b"))
	if got := outcomes(d, where("a/x", "b/x")); !slices.Equal(got, []string{""}) {
		t.Errorf("a file that was removed and synced: %q", got)
	}
}

func TestPowerCutTearsContent(t *testing.T) {
	d := New()
	p := d.Open(nil)
	must(t, p.Mkdir("a", 0o700))
	f := create(t, p, "a/x", string(make([]byte, 2*sector)), true)
	must(t, p.SyncDir("a"))
	_, err := f.WriteAt(slices.Repeat([]byte{1}, 2*sector), 0)
	must(t, err)
	ends := func(d *Disk) string {
		b := d.Read("a/x")
		return string([]byte{'0' + b[0], '0' + b[len(b)-1]})
	}
	if got := outcomes(d, ends); !slices.Equal(got, []string{"00", "01", "10", "11"}) {
		t.Errorf("two sectors overwritten: %q", got)
	}
	must(t, f.Sync())
	if got := outcomes(d, ends); !slices.Equal(got, []string{"11"}) {
		t.Errorf("and synced: %q", got)
	}
}

func TestKillFreesLocksAndKeepsWrites(t *testing.T) {
	d := New()
	dying, other := d.Open(nil), d.Open(nil)
	must(t, dying.Mkdir("a", 0o700))
	f := create(t, dying, "a/x", "content", false)
	must(t, f.Lock(false))
	g, err := other.Open("a/x", unix.O_RDONLY, 0)
	must(t, err)
	if err := g.Lock(false); !errors.Is(err, fsys.ErrLocked) {
		t.Errorf("Lock of a locked file: %v", err)
	}
	d.Kill(dying)
	must(t, g.Lock(false))
	if _, err := f.Write([]byte("more")); !errors.Is(err, ErrDead) {
		t.Errorf("a killed process writes: %v", err)
	}
	if got := string(d.Read("a/x")); got != "content" {
		t.Errorf("content %q", got)
	}
}

func TestRenameNeverReplaces(t *testing.T) {
	p := New().Open(nil)
	must(t, p.Mkdir("a", 0o700))
	create(t, p, "a/x", "1", false)
	create(t, p, "a/y", "2", false)
	if err := p.Rename("a/x", "a/y"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rename onto a file: %v", err)
	}
	must(t, p.Replace("a/x", "a/y"))
}

// TestSameDiceSameDisk: a seed that a failed test names shows the failure again.
func TestSameDiceSameDisk(t *testing.T) {
	d := New()
	p := d.Open(nil)
	must(t, p.Mkdir("a", 0o700))
	names := []string{"a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7", "a/8"}
	for _, name := range names {
		create(t, p, name, "new", false)
	}
	must(t, p.SyncDir("a"))
	found := func(seed uint64) (all string) {
		after := d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		for _, name := range names {
			all += string(after.Read(name)) + " "
		}
		return all
	}
	for seed := range uint64(20) {
		if once, again := found(seed), found(seed); once != again {
			t.Fatalf("seed %d: %q, then %q", seed, once, again)
		}
	}
}
