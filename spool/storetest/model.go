package storetest

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"notices/spool"

	"pgregory.net/rapid"
)

// RunModel compares a store with a map over random histories: messages are put,
// claimed, tried, answered, held, failed, revived, removed, over two handles that
// crash and are opened anew, while the clock jumps both ways and the power fails. After every step each
// message is in exactly one state, none is lost, none invented, and its record is
// what its events fold to.
//
// checks is the number of histories, of some 30 steps; -rapid.checks on the command
// line goes before it.
func RunModel(t *testing.T, open func(t *testing.T) Harness, checks int) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		t.Cleanup(func() { f.Value.Set(f.DefValue) })
		f.Value.Set(strconv.Itoa(checks))
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(open(t))
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){
			"":              m.check,
			"put":           m.put,
			"put existing":  m.putExisting,
			"abort":         m.abort,
			"claim":         m.claim,
			"claim removed": m.claimRemoved,
			"begin":         m.begin,
			"result":        m.result,
			"append":        m.append,
			"release":       m.release,
			"remove":        m.remove,
			"fail":          m.fail,
			"revive":        m.revive,
			"jump":          m.jump,
			"sync":          m.sync,
			"crash":         m.crash,
			"power cut":     m.powerCut,
			"reopen":        m.reopen,
			"repair":        m.repair,
		})
		m.k = kit{rt, t.Context()}
		m.checkAll()
	})
}

// model is what must be in the spool, in the simplest form that can be thought of.
type model struct {
	wasCut  bool // the power was cut in this history
	k       kit
	h       Harness
	handles [2]spool.Store // 0 can crash
	now     time.Time
	seq     int
	there   map[spool.ID]*modelled
	limbo   map[spool.ID]*modelled // removed, but a power cut may bring them back
	removed []spool.Entry
	touched spool.ID
}

// modelled is one message.
type modelled struct {
	env    spool.Envelope
	body   []byte
	events []spool.Event
	listed spool.Entry
	// lags: the process died between Begin and the listing that follows.
	lags bool
	// wild: the power failed; the listing may be any older one.
	wild  bool
	claim spool.Claim
	owner int
	// back: it was removed, and a power cut brought it back. A store may know better.
	back bool
	// sure is how many events no power cut can take; soon how many will be so when
	// the handle of that number syncs.
	sure int
	soon [2]int
}

func newModel(h Harness) *model {
	return &model{
		h:       h,
		handles: [2]spool.Store{h.Store, h.Reopen()},
		now:     start,
		there:   map[spool.ID]*modelled{},
		limbo:   map[spool.ID]*modelled{},
	}
}

func (m *model) close() {
	for _, s := range m.handles {
		_ = s.Close()
	}
}

func (m *model) at(t *rapid.T) { m.k = kit{t, t.Context()} }

func (v *modelled) record() *spool.Record { return fold(v.env, v.events...) }

func (v *modelled) failed() bool { return v.listed.State == spool.StateFailed }

// add notes an event; what is listed follows but for a Try.
func (v *modelled) add(e spool.Event, d spool.Durability) {
	v.events = append(v.events, e)
	switch d {
	case spool.Soon:
		v.soon[v.owner] = len(v.events)
	case spool.Now:
		v.sure = len(v.events)
	}
	if e.Kind != spool.Try {
		v.relist()
	}
}

func (v *modelled) relist() {
	r := v.record()
	v.listed = spool.Entry{ID: v.env.ID, Next: r.NextSendAt, State: spool.StateQueued}
	v.lags, v.wild = false, false
	switch {
	case r.GivenUp:
		v.listed.State = spool.StateFailed
		for _, e := range r.Events {
			if e.Kind == spool.GiveUp {
				v.listed.Next = e.At
			}
		}
	case r.Held:
		v.listed.State = spool.StateHeld
	default:
		v.listed.Expires = v.env.ExpiresAt
	}
}

// pick draws one of the messages that pass, or skips the step.
func (m *model) pick(t *rapid.T, pass func(*modelled) bool) *modelled {
	var ids []spool.ID
	for id, v := range m.there {
		if pass(v) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		t.Skip("no such message")
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "message")
	m.touched = id
	return m.there[id]
}

func claimedOne(v *modelled) bool { return v.claim != nil }

func claimedQueued(v *modelled) bool { return v.claim != nil && !v.failed() }

func claimedFailed(v *modelled) bool { return v.claim != nil && v.failed() }

func anyOne(*modelled) bool { return true }

func (m *model) handle(t *rapid.T) (int, spool.Store) {
	i := rapid.IntRange(0, 1).Draw(t, "handle")
	return i, m.handles[i]
}

func (m *model) nextID() spool.ID {
	m.seq++
	return spool.ID(fmt.Sprintf("%016d", m.seq))
}

// check is run after every step: the listing in full, and the record of what the
// step was about, as both handles see it.
func (m *model) check(t *rapid.T) {
	m.at(t)
	m.touchedIsRight()
	for i, s := range m.handles {
		got := m.k.list(s)
		for id, v := range m.there {
			e, ok := got[id]
			switch {
			case !ok:
				m.k.Fatalf("handle %d lost %s", i, id)
			case sameEntry(e, v.listed):
			case v.lags && e.State == v.listed.State && e.Next.Equal(v.record().NextSendAt):
			case v.wild && !v.failed() && e.State != spool.StateFailed:
			default:
				m.k.Fatalf("handle %d lists %v, want %v", i, e, v.listed)
			}
			delete(got, id)
		}
		for id := range got {
			m.k.Fatalf("handle %d invented %s", i, id)
		}
	}
}

func (m *model) touchedIsRight() {
	v := m.there[m.touched]
	if v == nil {
		return
	}
	want := v.record()
	for i, s := range m.handles {
		r, body := m.k.look(s, m.touched)
		m.k.same(fmt.Sprintf("%s by handle %d", m.touched, i), r, want)
		m.k.sameBody(string(m.touched), body, v.body)
	}
	if v.claim != nil {
		m.k.same(fmt.Sprintf("the claim of %s", m.touched), v.claim.Record(), want)
	}
}

// checkAll compares every message, and opens the spool once more for it.
func (m *model) checkAll() {
	again := m.h.Reopen()
	defer closeAll(m.k, again)
	for id, v := range m.there {
		r, body := m.k.look(again, id)
		m.k.same(string(id)+" at the end", r, v.record())
		m.k.sameBody(string(id), body, v.body)
	}
}
