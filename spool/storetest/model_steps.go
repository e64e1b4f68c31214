package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
)

// mailSteps are the steps about one message.
type mailSteps struct{ *model }

func (m mailSteps) put(t *rapid.T) {
	_, s := m.handle(t)
	var drafts []spool.Draft
	var messages []*modelled
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		v := m.newMessage(t)
		drafts = append(drafts, m.k.sealed(s, v.env, v.body))
		messages = append(messages, v)
	}
	m.k.commit(s, drafts...)
	for _, v := range messages {
		m.there[v.env.ID] = v
		m.touched = v.env.ID
	}
}

func (m mailSteps) newMessage(t *rapid.T) *modelled {
	m.seq++
	v := &modelled{
		env:  sample(spool.ID(fmt.Sprintf("%016d", m.seq)), rapid.IntRange(1, 4).Draw(t, "recipients")),
		body: content(rapid.IntRange(0, 200).Draw(t, "size")),
	}
	v.env.QueuedAt = m.now
	v.env.Size = int64(len(v.body))
	v.env.Ref = rapid.StringN(0, 8, -1).Draw(t, "ref")
	if rapid.Bool().Draw(t, "expires") {
		v.env.ExpiresAt = m.now.Add(time.Duration(rapid.Int64Range(1, 1000).Draw(t, "after")) * time.Minute)
	}
	v.relist()
	return v
}

func (m mailSteps) putExisting(t *rapid.T) {
	v := m.pick(t, anyOne)
	_, s := m.handle(t)
	n, err := s.Commit(m.k.Context(), m.k.sealed(s, sample(v.env.ID, 1), content(5)))
	m.k.wants(err, "Commit of an id that is there", spool.ErrExists)
	if n != 0 {
		m.k.Fatalf("Commit of an id that is there says %d", n)
	}
}

func (m mailSteps) abort(t *rapid.T) {
	_, s := m.handle(t)
	v := m.newMessage(t)
	d := m.k.draft(s, v.env.ID)
	m.k.write(d, v.body)
	if rapid.Bool().Draw(t, "sealed") {
		m.k.ok(d.Seal(v.env), "Seal")
	}
	m.k.ok(d.Abort(), "Abort")
}

func (m mailSteps) claim(t *rapid.T) {
	v := m.pick(t, anyOne)
	i, s := m.handle(t)
	c, err := s.Claim(m.k.Context(), m.k.find(s, v.env.ID))
	if v.claim != nil {
		m.k.wants(err, fmt.Sprintf("Claim of %s, which handle %d has", v.env.ID, v.owner), spool.ErrBusy)
		return
	}
	if v.back && errors.Is(err, spool.ErrGone) { // its removal is finished
		v.owner = i
		m.drop(v, false)
		return
	}
	m.k.ok(err, "Claim")
	m.k.sameBody("claimed", m.k.read(c.Body()), v.body)
	v.claim, v.owner = c, i
}

func (m mailSteps) claimRemoved(t *rapid.T) {
	if len(m.removed) == 0 {
		t.Skip("none removed yet")
	}
	_, s := m.handle(t)
	m.k.gone(s, rapid.SampledFrom(m.removed).Draw(t, "removed"))
}

func (m mailSteps) begin(t *rapid.T) {
	v := m.pick(t, claimedQueued)
	e := spool.Event{Kind: spool.Try, At: m.now, N: v.record().Attempts + 1, Next: m.soon(t)}
	m.event(v, e, spool.Lazy)
}

// event writes an event, and notes it.
func (m mailSteps) event(v *modelled, e spool.Event, d spool.Durability) {
	m.k.append(v.claim, e, d)
	v.add(e, d)
}

func durability(t *rapid.T) spool.Durability {
	return rapid.SampledFrom([]spool.Durability{spool.Lazy, spool.Soon, spool.Now}).Draw(t, "durability")
}

func (m mailSteps) result(t *rapid.T) {
	v := m.pick(t, claimedQueued)
	classes := []spool.Class{spool.Delivered, spool.Deferred, spool.Failed, spool.Uncertain}
	e := spool.Event{Kind: spool.Result, At: m.now, N: v.record().Attempts, Next: m.soon(t)}
	e.Grace = rapid.Bool().Draw(t, "grace")
	for i := range v.env.Recipients {
		class := rapid.SampledFrom(classes).Draw(t, "class")
		e.Results = append(e.Results, answer(class, 450, rapid.StringN(0, 20, -1).Draw(t, "reply"), i))
	}
	m.event(v, e, durability(t))
}

// append writes one of the events that say when a message is due, or what was
// done about it.
func (m mailSteps) append(t *rapid.T) {
	v := m.pick(t, claimedQueued)
	e := spool.Event{
		Kind: rapid.SampledFrom([]spool.Kind{
			spool.Postpone, spool.Returned, spool.Warned, spool.Hold, spool.Release, spool.Retry,
		}).Draw(t, "kind"),
		At: m.now,
	}
	switch e.Kind {
	case spool.Postpone, spool.Release, spool.Retry:
		e.Next = m.soon(t)
	case spool.Returned:
		e.N = v.record().Attempts
	}
	e.Note = rapid.StringN(0, 8, -1).Draw(t, "note")
	m.event(v, e, durability(t))
}

func (m mailSteps) release(t *rapid.T) {
	v := m.pick(t, claimedOne)
	m.k.ok(v.claim.Release(), "Release")
	v.claim = nil
	v.relist()
}

func (m mailSteps) remove(t *rapid.T) {
	v := m.pick(t, claimedOne)
	d := rapid.SampledFrom([]spool.Durability{spool.Soon, spool.Now}).Draw(t, "durability")
	m.k.ok(v.claim.Remove(spool.Event{}, d), "Remove")
	m.k.ok(v.claim.Release(), "Release after Remove")
	v.claim = nil
	m.drop(v, d == spool.Now)
}

func (m mailSteps) fail(t *rapid.T) {
	v := m.pick(t, claimedQueued)
	e := spool.Event{Kind: spool.GiveUp, At: m.now}
	m.k.ok(v.claim.Fail(e), "Fail")
	v.claim = nil
	v.add(e, spool.Now)
}

func (m mailSteps) revive(t *rapid.T) {
	v := m.pick(t, claimedFailed)
	e := spool.Event{Kind: spool.Retry, At: m.now, Next: m.now, Fresh: true}
	m.k.ok(v.claim.Revive(e), "Revive")
	v.claim = nil
	v.add(e, spool.Now)
}

// machineSteps are the steps about all that is in the spool.
type machineSteps struct{ *model }

// jump moves the clock, which may be set back, by up to ten years.
func (m machineSteps) jump(t *rapid.T) {
	days := rapid.SampledFrom([]int{0, 0, 1, -1, 30, -30, 3650, -3650}).Draw(t, "days")
	m.now = m.now.AddDate(0, 0, days).Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second)
	// Ten digits of seconds are what a listing is promised to hold.
	if m.now.Before(start.AddDate(-20, 0, 0)) || m.now.After(start.AddDate(100, 0, 0)) {
		m.now = start
	}
}

func (m machineSteps) sync(t *rapid.T) {
	i, s := m.handle(t)
	m.k.ok(s.Sync(m.k.Context()), "Sync")
	m.synced(i)
}

// synced notes that all that handle i did Soon is durable. What the other did may
// be, but that is not promised.
func (m machineSteps) synced(i int) {
	for _, v := range m.there {
		v.sure = max(v.sure, v.soon[i])
	}
	maps.DeleteFunc(m.limbo, func(_ spool.ID, v *modelled) bool { return v.owner == i })
}

func (m machineSteps) repair(t *rapid.T) {
	_, s := m.handle(t)
	// After a power cut a store may find what it cannot tell from lost mail.
	if a := setAside(m.repaired(s)); len(a) > 0 && !m.wasCut {
		m.k.Fatalf("Repair sets aside what is ours: %+v", a)
	}
}

func (m machineSteps) repaired(s spool.Store) []spool.Anomaly {
	m.k.countTo(1<<20, s.Scan)
	found, err := s.Repair(m.k.Context())
	m.k.ok(err, "Repair")
	return found
}

// crash kills handle 0: what it had claimed is free, and may still be listed as
// it was before the attempt. What it was to sync is not synced.
func (m machineSteps) crash(t *rapid.T) {
	if m.h.Crash == nil {
		t.Skip("no crashes")
	}
	m.handles[0] = m.k.opened(m.h.Crash())
	m.forget(0)
}

// reopen closes handle 1 as a process that ends in order, its claims with it.
func (m machineSteps) reopen(t *rapid.T) {
	m.k.ok(m.handles[1].Close(), "Close")
	m.synced(1)
	m.handles[1] = m.k.opened(m.h.Reopen())
	m.forget(1)
}

// forget drops the claims of a handle that is no more.
func (m machineSteps) forget(handle int) {
	for _, v := range m.there {
		v.soon[handle] = 0
		if v.claim != nil && v.owner == handle {
			v.claim, v.lags = nil, true
		}
	}
	for _, v := range m.limbo {
		if v.owner == handle {
			v.owner = -1
		}
	}
}

// powerCut stops the machine. Each message must be there, with all events that
// were durable and perhaps some of those that followed, in order; and so may be
// those whose removal was not.
func (m machineSteps) powerCut(t *rapid.T) {
	if m.h.PowerCut == nil {
		t.Skip("no power cuts")
	}
	m.wasCut = true
	m.handles[0] = m.k.opened(m.h.PowerCut())
	m.handles[1] = m.k.opened(m.h.Reopen())
	m.forget(0)
	m.forget(1)
	m.repaired(m.handles[0]) // may find remains, as long as the messages are right
	listed := m.k.list(m.handles[0])
	for id, v := range m.limbo {
		if _, ok := listed[id]; ok {
			m.there[id], v.back = v, true
			m.removed = slices.DeleteFunc(m.removed, func(e spool.Entry) bool { return e.ID == id })
		}
	}
	clear(m.limbo)
	for _, v := range m.there {
		m.adopt(v)
	}
}

// adopt takes over how much of its history a message has kept.
func (m machineSteps) adopt(v *modelled) {
	r, _ := m.k.peek(m.handles[0], v.env.ID)
	n := len(r.Events)
	if n < v.sure || n > len(v.events) {
		m.k.Fatalf("after a power cut %s has %d events; %d of %d were durable", v.env.ID, n, v.sure, len(v.events))
	}
	m.k.same(string(v.env.ID)+" after a power cut", r, fold(v.env, v.events[:n]...))
	v.events = v.events[:n]
	v.relist()
	v.wild = true
	v.sure, v.soon = n, [2]int{} // it was read from the disk
}
