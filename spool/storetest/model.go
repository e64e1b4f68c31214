package storetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"notices/spool"

	"pgregory.net/rapid"
)

// RunModel compares a store with a map over random histories: messages are put,
// claimed, tried, answered, held, failed, revived and removed, over two handles that
// crash and are opened anew, while the clock jumps both ways and the power fails. After
// every step each message is in exactly one state, no message is lost or invented, and
// each record is what its events fold to.
//
// histories is their number, of some 30 steps each; -rapid.checks on the command
// line goes before it.
func RunModel(t *testing.T, open func(t *testing.T) Harness, histories int) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		t.Cleanup(func() { f.Value.Set(f.DefValue) })
		f.Value.Set(strconv.Itoa(histories))
	}
	rapid.Check(t, func(rt *rapid.T) {
		k, h := kit{checks{rt}}, open(t)
		m := &model{
			k:       k,
			h:       h,
			handles: [2]spool.Store{k.opened(h.Store), k.opened(h.Reopen())},
			now:     start,
			there:   map[spool.ID]*modelled{},
			limbo:   map[spool.ID]*modelled{},
		}
		mail, machine := mailSteps{m}, machineSteps{m}
		rt.Repeat(map[string]func(*rapid.T){
			"":              m.check,
			"put":           mail.put,
			"put existing":  mail.putExisting,
			"abort":         mail.abort,
			"claim":         mail.claim,
			"claim removed": mail.claimRemoved,
			"begin":         mail.begin,
			"result":        mail.result,
			"append":        mail.append,
			"release":       mail.release,
			"remove":        mail.remove,
			"fail":          mail.fail,
			"revive":        mail.revive,
			"jump":          machine.jump,
			"sync":          machine.sync,
			"crash":         machine.crash,
			"power cut":     machine.powerCut,
			"reopen":        machine.reopen,
			"repair":        machine.repair,
		})
		again := k.opened(h.Reopen())
		for _, v := range m.there {
			m.right("at the end", again, v)
		}
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

// pick draws one of the messages that pass, or passes over the step: rapid then draws another one.
func (m *model) pick(t *rapid.T, pass func(*modelled) bool) *modelled {
	passed := maps.Clone(m.there)
	maps.DeleteFunc(passed, func(_ spool.ID, v *modelled) bool { return !pass(v) })
	if len(passed) == 0 {
		t.Skip("no such message")
	}
	m.touched = rapid.SampledFrom(slices.Sorted(maps.Keys(passed))).Draw(t, "message")
	return m.there[m.touched]
}

func claimedOne(v *modelled) bool { return v.claim != nil }

func claimedQueued(v *modelled) bool { return v.claim != nil && !v.failed() }

func claimedFailed(v *modelled) bool { return v.claim != nil && v.failed() }

func anyOne(*modelled) bool { return true }

func (m *model) handle(t *rapid.T) (int, spool.Store) {
	i := rapid.IntRange(0, 1).Draw(t, "handle")
	return i, m.handles[i]
}

// soon draws a next send time, up to two hours away.
func (m *model) soon(t *rapid.T) time.Time {
	return m.now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "next")) * time.Second)
}

// drop takes a message out that was removed. Unless that is sure, a power cut may bring it
// back.
func (m *model) drop(v *modelled, sure bool) {
	delete(m.there, v.env.ID)
	if !sure {
		m.limbo[v.env.ID] = v
	}
	m.removed = append(m.removed, v.listed)
}

// check is run after every step: the listing in full, and the record of what the
// step was about, as both handles see it.
func (m *model) check(*rapid.T) {
	for i, s := range m.handles {
		if v := m.there[m.touched]; v != nil {
			m.right(fmt.Sprintf("by handle %d", i), s, v)
		}
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

// right compares one message, as a handle sees it and as its claim does.
func (m *model) right(what string, s spool.Store, v *modelled) {
	what = string(v.env.ID) + " " + what
	r, body := m.k.peek(s, v.env.ID)
	m.k.same(what, r, v.record())
	m.k.sameBody(what, body, v.body)
	if v.claim != nil {
		m.k.same(what+", the claim", v.claim.Record(), v.record())
	}
}
