package maildir_test

import (
	"testing"

	"notices/spool"
	"notices/spool/maildir"
	"notices/spool/maildirtest"
	"notices/spool/storetest"
)

// TestStore holds the store against the suite, on a real disk.
func TestStore(t *testing.T) {
	storetest.Run(t, harness)
}

func harness(t *testing.T) storetest.Harness {
	dir := t.TempDir() + "/spool"
	open := func(o maildir.Options) spool.Store {
		s, err := maildir.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	reopen := func() spool.Store { return open(maildir.Options{}) }
	noHistory := func() spool.Store { return open(maildir.Options{NoHistory: true}) }
	return storetest.Harness{Store: reopen(), Reopen: reopen, NoHistory: noHistory}
}

// TestStoreOnSimulatedDisk does the same on a disk that can lose its power.
func TestStoreOnSimulatedDisk(t *testing.T) {
	storetest.Run(t, simulated)
}

// TestModel compares random histories with a model, with kills and power cuts.
func TestModel(t *testing.T) {
	storetest.RunModel(t, simulated, 100)
}

// TestModelOnDisk does the same on a real disk, without those.
func TestModelOnDisk(t *testing.T) { storetest.RunModel(t, harness, 15) }

func simulated(*testing.T) storetest.Harness {
	s := maildirtest.New()
	return storetest.Harness{
		Store:  s,
		Reopen: func() spool.Store { return s.Reopen() },
		Crash: func() spool.Store {
			s = s.Crash()
			return s
		},
		PowerCut: func() spool.Store {
			s = s.PowerCut()
			return s
		},
	}
}
