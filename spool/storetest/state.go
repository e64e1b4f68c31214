package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"notices/spool"
)

func testState(k kit, h Harness) {
	other := k.opened(h.Reopen())
	a, b := h.Store.State(), other.State()
	load := func(what string, want []byte) {
		k.Helper()
		for i, s := range []spool.State{a, b} {
			got, err := s.Load(k.Context(), "health-1")
			k.ok(err, "Load")
			if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				k.Errorf("%s: handle %d loads %q, want %q", what, i, got, want)
			}
		}
	}
	update := func(s spool.State, durable bool, wantOld, value []byte) {
		k.Helper()
		err := s.Update(k.Context(), "health-1", durable, func(old []byte) ([]byte, error) {
			if !bytes.Equal(old, wantOld) {
				k.Errorf("Update is shown %q, want %q", old, wantOld)
			}
			return value, nil
		})
		k.ok(err, "Update")
	}
	load("missing", nil)
	update(a, false, nil, []byte("one\x00\xff"))
	load("set", []byte("one\x00\xff"))
	update(b, true, []byte("one\x00\xff"), []byte("two"))
	load("replaced by another handle", []byte("two"))

	no := errors.New("no")
	err := a.Update(k.Context(), "health-1", true, func([]byte) ([]byte, error) { return []byte("three"), no })
	k.wants(err, "Update that fails", no)
	load("after an update that failed", []byte("two"))

	update(a, true, []byte("two"), nil)
	load("removed", nil)
	update(b, false, nil, nil)
	load("removed again", nil)
	update(b, true, nil, []byte("back"))
	load("set after removal", []byte("back"))
	if h.PowerCut != nil {
		a = k.opened(h.PowerCut()).State()
		b = a
		load("after a power cut", []byte("back"))
	}
}

// testStateNames: values do not touch each other or the messages.
func testStateNames(k kit, h Harness) {
	st := h.Store.State()
	names := []string{"health-1", "health-10", "test-1", "rate-google", spool.LastFlushName, "A"}
	k.putSample(h.Store, "A")
	for _, name := range names {
		k.ok(st.Update(k.Context(), name, false, func([]byte) ([]byte, error) { return []byte(name), nil }), "Update")
	}
	for _, name := range names {
		b, err := st.Load(k.Context(), name)
		k.ok(err, "Load")
		if string(b) != name {
			k.Errorf("%s holds %q", name, b)
		}
	}
	k.listed("beside values", []spool.Store{h.Store}, queued("A"))
	found, err := h.Store.Repair(k.Context())
	k.ok(err, "Repair")
	if len(found) != 0 {
		k.Errorf("Repair finds fault with the values: %v", found)
	}
	for _, name := range []string{"", "../A", "a/b", ".x"} {
		if err := st.Update(k.Context(), name, false, func([]byte) ([]byte, error) { return []byte("x"), nil }); err == nil {
			k.Errorf("Update takes the name %q", name)
		}
		if b, err := st.Load(k.Context(), name); err == nil && b != nil {
			k.Errorf("Load of %q gives %q", name, b)
		}
	}
}

// testStateAtomic counts from eight sides at once, over two handles.
func testStateAtomic(k kit, h Harness) {
	race(k, h, 8, func(_ int, s spool.Store) {
		for range 100 {
			err := s.State().Update(k.Context(), "count", false, func(old []byte) ([]byte, error) {
				n, err := strconv.Atoi(cmp.Or(string(old), "0"))
				if err != nil {
					return nil, fmt.Errorf("half a value: %q", old)
				}
				runtime.Gosched() // let the others come in between, if they can
				return strconv.AppendInt(nil, int64(n+1), 10), nil
			})
			if err != nil {
				k.Errorf("Update among others: %v", err)
				return
			}
		}
	})
	b, err := h.Store.State().Load(k.Context(), "count")
	k.ok(err, "Load")
	if string(b) != "800" {
		k.Errorf("800 increments make %q", b)
	}
}

// testCrashOfAWriter: what was not committed is not there, is in no one's way,
// and is swept.
func testCrashOfAWriter(k kit, h Harness) {
	if h.Crash == nil {
		return
	}
	k.write(k.draft(h.Store, "open"), content(5000))
	k.sealed(h.Store, sample("sealed", 1), content(5000))
	s := k.opened(h.Crash())
	k.listed("after the crash", []spool.Store{s})

	k.put(s, sample("open", 1), content(11))
	k.put(s, sample("sealed", 1), content(12))
	k.countTo(9, s.Scan)
	found, err := s.Repair(k.Context())
	k.ok(err, "Repair")
	if a := setAside(found); len(a) > 0 {
		k.Errorf("what was never accepted is kept: %+v", a)
	}
	for id, size := range map[spool.ID]int{"open": 11, "sealed": 12} {
		_, body := k.peek(s, id)
		k.sameBody(string(id), body, content(size))
	}
}

func testClose(k kit, h Harness) {
	other := h.Reopen()
	k.putSample(other, "A")
	k.putSample(other, "B")
	k.claim(other, "A") // never released
	k.ok(k.claim(other, "B").Remove(spool.Event{}, spool.Soon), "Remove")
	k.ok(other.State().Update(k.Context(), "value", false, func([]byte) ([]byte, error) { return []byte("x"), nil }), "Update")
	k.ok(other.Close(), "Close")
	_ = other.Close() // harmless

	entry := queued("A")
	k.listed("after Close of the other handle", []spool.Store{h.Store}, entry)
	k.ok(k.claim(h.Store, "A").Release(), "Release")
	k.ok(h.Store.Close(), "Close of the last handle")
	again := k.opened(h.Reopen())
	k.listed("opened again", []spool.Store{again}, entry)
	if b, err := again.State().Load(k.Context(), "value"); err != nil || string(b) != "x" {
		k.Errorf("the value after Close: %q, %v", b, err)
	}
}
