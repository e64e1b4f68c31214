// Package storetest is the definition of a spool.Store: what the interface's
// comments promise, each as a test that every store must pass. Run is the suite of what a
// history does not show, and RunModel compares a store with a model over random histories.
// Package faulty has a store that fails or dies at a chosen call, for the tests of what
// works on one.
//
// It is an ordinary package so that each store's own test calls it in a few lines.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"notices/spool"
)

// Harness is a store on an empty spool and the ways to come at that spool anew.
// The suite closes every handle that it got, Store too; open may close it once
// more.
type Harness struct {
	Store spool.Store
	// Reopen returns a second, independent handle on the same spool, as another
	// process would have it. Both are in use at once.
	Reopen func() spool.Store
	// Crash ends what Store (later: what the last Crash or PowerCut returned) does as
	// if its process had been killed: nothing is synced, finished or tidied up, what
	// it had claimed is free. It returns a fresh handle. nil: those tests are left out.
	Crash func() spool.Store
	// PowerCut is Crash for all handles at once, and what was not synced may be lost.
	// nil: those tests are left out.
	PowerCut func() spool.Store
	// NoHistory is Reopen of a handle that keeps no history. nil: those tests are left out.
	NoHistory func() spool.Store
}

// Run tests a store. open is called once for each part, with an empty spool.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) {
			h := open(t)
			k := kit{checks{t}}
			k.opened(h.Store)
			part.test(k, h)
		})
	}
}

var parts = []struct {
	name string
	test func(kit, Harness)
}{
	{"Bodies", testBodies},
	{"BodyManyReaders", testBodyManyReaders},
	{"Envelope", testEnvelope},
	{"ManyRecipients", testManyRecipients},
	{"InvisibleBeforeCommit", testInvisibleBeforeCommit},
	{"Abort", testAbort},
	{"CommitMany", testCommitMany},
	{"CommitExisting", testCommitExisting},
	{"CommitUnsealed", testCommitUnsealed},
	{"Moved", testMoved},
	{"NewBadID", testNewBadID},
	{"Scan", testScan},
	{"ScanStops", testScanStops},
	{"Find", testFind},
	{"Usage", testUsage},
	{"ClaimExclusive", testClaimExclusive},
	{"ClaimGone", testClaimGone},
	{"ClaimStale", testClaimStale},
	{"ClaimOver", testClaimOver},
	{"ClaimLeavesReading", testClaimLeavesReading},
	{"Record", testRecord},
	{"RecordUnknownKind", testRecordUnknownKind},
	{"RecordLong", testRecordLong},
	{"ListingFarTimes", testListingFarTimes},
	{"ListingExpires", testListingExpires},
	{"State", testState},
	{"StateNames", testStateNames},
	{"StateAtomic", testStateAtomic},
	{"RaceForClaims", testRaceForClaims},
	{"RaceOfWriters", testRaceOfWriters},
	{"Close", testClose},
	{"CrashOfAWriter", testCrashOfAWriter},
	{"ImportOnce", testImportOnce},
	{"ImportedEverywhere", testImportedEverywhere},
	{"ImportSeveral", testImportSeveral},
	{"ImportAlone", testImportAlone},
	{"ImportExpires", testImportExpires},
	{"ImportedElsewhere", testImportedElsewhere},
	{"ImportBesideFlush", testImportBesideFlush},
	{"ImportCrash", func(k kit, h Harness) { testImportCut(k, h, h.Crash) }},
	{"ImportPowerCut", func(k kit, h Harness) { testImportCut(k, h, h.PowerCut) }},
	{"HistoryEndings", testHistoryEndings},
	{"HistoryEntry", testHistoryEntry},
	{"HistorySupersedes", testHistorySupersedes},
	{"HistoryQuery", testHistoryQuery},
	{"HistoryForget", testHistoryForget},
	{"HistoryWriters", testHistoryWriters},
	{"HistoryCrash", func(k kit, h Harness) { testHistoryCut(k, h, h.Crash, false) }},
	{"HistoryPowerCut", func(k kit, h Harness) { testHistoryCut(k, h, h.PowerCut, true) }},
}

// tb is what *testing.T and *rapid.T have in common and the suite needs.
type tb interface {
	Helper()
	Cleanup(f func())
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// kit is the test that runs and what its parts do with a store again and again.
type kit struct{ checks }

// opened closes a store at the end of the test.
func (k kit) opened(s spool.Store) spool.Store {
	k.Cleanup(func() { _ = s.Close() }) // a handle that was killed may say so
	return s
}

// checks end a test whose store is not as it should be.
type checks struct{ tb }

func (c checks) ok(err error, what string) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

// wants checks that err is one of those.
func (c checks) wants(err error, what string, those ...error) {
	c.Helper()
	for _, want := range those {
		if errors.Is(err, want) {
			return
		}
	}
	c.Fatalf("%s: error %v, want %v", what, err, those)
}

func (k kit) find(s spool.Store, id spool.ID) spool.Entry {
	k.Helper()
	e, err := spool.FindOne(k.Context(), s, id)
	k.ok(err, "Find "+string(id))
	if e.ID != id {
		k.Fatalf("Find %s returned the entry of %s", id, e.ID)
	}
	return e
}

func (k kit) claim(s spool.Store, id spool.ID) spool.Claim {
	k.Helper()
	c, err := s.Claim(k.Context(), k.find(s, id))
	k.ok(err, "Claim "+string(id))
	if got := c.Entry().ID; got != id {
		k.Fatalf("the claim of %s is on %s", id, got)
	}
	return c
}

// peek reads a message as it is in the store.
func (k kit) peek(s spool.Store, id spool.ID) (*spool.Record, []byte) {
	k.Helper()
	r, b, err := s.Peek(k.Context(), k.find(s, id))
	k.ok(err, "Peek "+string(id))
	data := k.read(b)
	k.ok(b.Close(), "closing the body of "+string(id))
	return r, data
}

// list returns what Scan and ScanFailed tell, each message once.
func (k kit) list(s spool.Store) map[spool.ID]spool.Entry {
	k.Helper()
	all := map[spool.ID]spool.Entry{}
	add := func(failed bool) func(spool.Entry) bool {
		return func(e spool.Entry) bool {
			if _, twice := all[e.ID]; twice {
				k.Errorf("%s is listed twice", e.ID)
			}
			if failed != (e.State == spool.StateFailed) {
				k.Errorf("%s, %q, is in the wrong list", e.ID, e.State)
			}
			all[e.ID] = e
			return true
		}
	}
	k.ok(s.Scan(k.Context(), add(false)), "Scan")
	k.ok(s.ScanFailed(k.Context(), add(true)), "ScanFailed")
	return all
}

// listed checks that exactly these messages are there, as both handles see it.
func (k kit) listed(what string, stores []spool.Store, want ...spool.Entry) {
	k.Helper()
	for i, s := range stores {
		got := k.list(s)
		for _, w := range want {
			if e, ok := got[w.ID]; !ok {
				k.Errorf("%s: handle %d does not list %s", what, i, w.ID)
			} else if !sameEntry(e, w) {
				k.Errorf("%s: handle %d lists %v, want %v", what, i, e, w)
			}
			delete(got, w.ID)
		}
		for id := range got {
			k.Errorf("%s: handle %d lists %s too", what, i, id)
		}
	}
}

func sameEntry(a, b spool.Entry) bool {
	return a.ID == b.ID && a.State == b.State && a.Next.Equal(b.Next) && a.Expires.Equal(b.Expires)
}

// setAside are the anomalies for which Repair moved a file away.
func setAside(found []spool.Anomaly) []spool.Anomaly {
	return slices.DeleteFunc(found, func(a spool.Anomaly) bool { return a.Moved == "" })
}

// gone checks that nothing of a message can be reached.
func (k kit) gone(s spool.Store, e spool.Entry) {
	k.Helper()
	_, err := spool.FindOne(k.Context(), s, e.ID)
	k.wants(err, "Find "+string(e.ID), spool.ErrGone)
	_, err = s.Claim(k.Context(), e)
	k.wants(err, "Claim "+string(e.ID), spool.ErrGone)
	_, _, err = s.Peek(k.Context(), e)
	k.wants(err, "Peek "+string(e.ID), spool.ErrGone)
}

// same compares two records as they would be written down: times in UTC, no
// difference between an empty list and none.
func (c checks) same(what string, got, want *spool.Record) {
	c.Helper()
	g, w := written(got), written(want)
	if g == w {
		return
	}
	at := 0
	for at < min(len(g), len(w)) && g[at] == w[at] {
		at++
	}
	from := max(0, at-60)
	c.Fatalf("%s: the record differs at octet %d:\n got ...%.200s\nwant ...%.200s", what, at, g[from:], w[from:])
}

func written(r *spool.Record) string {
	c := *r
	if len(c.Events) == 0 {
		c.Events = nil
	}
	if len(c.Recipients) == 0 {
		c.Recipients = nil
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// fold is the reference: the record of a message to which that happened.
func fold(env spool.Envelope, events ...spool.Event) *spool.Record {
	r := spool.NewRecord(env)
	for _, e := range events {
		r.Apply(e)
	}
	return r
}

func (c checks) sameBody(what string, got, want []byte) {
	c.Helper()
	if !bytes.Equal(got, want) {
		c.Fatalf("%s: body of %d octets differs from the %d put", what, len(got), len(want))
	}
}
