package maildir

import (
	"math/rand/v2"
	"testing"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/storetest"
)

// TestStore holds the store against the suite, on a real disk.
func TestStore(t *testing.T) {
	storetest.Run(t, harness)
}

func harness(t *testing.T) storetest.Harness {
	dir := t.TempDir() + "/spool"
	reopen := func() spool.Store {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return storetest.Harness{Store: reopen(), Reopen: reopen}
}

// TestStoreOnSimulatedDisk does the same on a disk that can lose its power.
func TestStoreOnSimulatedDisk(t *testing.T) {
	storetest.Run(t, simulated)
}

// TestNotes holds what an import leaves behind against its suite.
func TestNotes(t *testing.T) {
	for name, open := range map[string]func(*testing.T) storetest.Harness{"disk": harness, "simulated disk": simulated} {
		t.Run(name, func(t *testing.T) { storetest.RunNotes(t, open) })
	}
}

// TestModel compares random histories with a model, with kills and power cuts.
func TestModel(t *testing.T) {
	storetest.RunModel(t, simulated, 100)
}

func simulated(t *testing.T) storetest.Harness {
	disk := simfs.New()
	dice := rand.New(rand.NewPCG(1, 2))
	var process *simfs.Process
	open := func() spool.Store {
		process = disk.Open(nil)
		s, err := Open("/spool", Options{FS: process})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := open()
	working := process // of the first handle, later of what Crash returned
	return storetest.Harness{
		Store:  first,
		Reopen: open,
		Crash: func() spool.Store {
			disk.Kill(working)
			s := open()
			working = process
			return s
		},
		PowerCut: func() spool.Store {
			disk = disk.PowerCut(dice)
			s := open()
			working = process
			return s
		},
	}
}
