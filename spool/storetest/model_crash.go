package storetest

import (
	"maps"

	"notices/spool"

	"pgregory.net/rapid"
)

func (m *model) sync(t *rapid.T) {
	m.at(t)
	i, s := m.handle(t)
	m.k.ok(s.Sync(m.k.ctx), "Sync")
	m.synced(i)
}

// synced notes that all that handle i did Soon is durable. What the other did may
// be, but nobody promised it.
func (m *model) synced(i int) {
	for _, v := range m.there {
		v.sure = max(v.sure, v.soon[i])
	}
	maps.DeleteFunc(m.limbo, func(_ spool.ID, v *modelled) bool { return v.owner == i })
}

func (m *model) repair(t *rapid.T) {
	m.at(t)
	_, s := m.handle(t)
	for _, a := range m.repaired(s) {
		// After a power cut a store may find what it cannot tell from lost mail.
		if a.Moved != "" && !m.wasCut {
			m.k.Fatalf("Repair sets aside what is ours: %+v", a)
		}
	}
}

func (m *model) repaired(s spool.Store) []spool.Anomaly {
	m.k.countTo(1<<20, s.Scan)
	found, err := s.Repair(m.k.ctx)
	m.k.ok(err, "Repair")
	return found
}

// crash kills handle 0: what it had claimed is free, and may still be listed as
// it was before the attempt. What it meant to sync nobody will.
func (m *model) crash(t *rapid.T) {
	m.at(t)
	if m.h.Crash == nil {
		t.Skip("no crashes")
	}
	m.handles[0] = m.h.Crash()
	m.forget(0)
}

// reopen closes handle 1 as a process that ends in order, its claims with it.
func (m *model) reopen(t *rapid.T) {
	m.at(t)
	m.k.ok(m.handles[1].Close(), "Close")
	m.synced(1)
	m.handles[1] = m.h.Reopen()
	m.forget(1)
}

// forget drops the claims of a handle that is no more.
func (m *model) forget(handle int) {
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
func (m *model) powerCut(t *rapid.T) {
	m.at(t)
	m.wasCut = true
	if m.h.PowerCut == nil {
		t.Skip("no power cuts")
	}
	m.handles[0] = m.h.PowerCut()
	m.handles[1] = m.h.Reopen()
	m.forget(0)
	m.forget(1)
	m.repaired(m.handles[0]) // may find odd things, as long as the messages are right
	m.comeBack()
	for _, v := range m.there {
		m.adopt(v)
	}
}

// comeBack takes the removed messages that the power cut brought back.
func (m *model) comeBack() {
	listed := m.k.list(m.handles[0])
	for id, v := range m.limbo {
		if _, ok := listed[id]; ok {
			m.there[id] = v
			v.back = true
			m.unremove(id)
		}
	}
	clear(m.limbo)
}

func (m *model) unremove(id spool.ID) {
	var left []spool.Entry
	for _, e := range m.removed {
		if e.ID != id {
			left = append(left, e)
		}
	}
	m.removed = left
}

// adopt takes over how much of its history a message has kept.
func (m *model) adopt(v *modelled) {
	r, _ := m.k.look(m.handles[0], v.env.ID)
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
