package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"

	"notices/spool"
)

// values are the small named values, with a lock of their own so that a change
// may use the messages.
type values struct {
	mu     sync.Mutex
	now    map[string][]byte
	synced map[string][]byte
}

func (v *values) sync() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.synced = maps.Clone(v.now)
}

func (v *values) powerCut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = maps.Clone(v.synced)
}

type state struct{ s *Store }

func (st state) check(ctx context.Context, name string) error {
	if !spool.ID(name).Valid() {
		return fmt.Errorf("memory: %q cannot name a value", name)
	}
	if err := st.s.lock(ctx); err != nil {
		return err
	}
	st.s.d.mu.Unlock()
	return nil
}

// Load implements spool.State.
func (st state) Load(ctx context.Context, name string) ([]byte, error) {
	if err := st.check(ctx, name); err != nil {
		return nil, err
	}
	v := &st.s.d.state
	v.mu.Lock()
	defer v.mu.Unlock()
	return bytes.Clone(v.now[name]), nil
}

// Update implements spool.State.
func (st state) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	if err := st.check(ctx, name); err != nil {
		return err
	}
	v := &st.s.d.state
	v.mu.Lock()
	defer v.mu.Unlock()
	b, err := change(bytes.Clone(v.now[name]))
	if err != nil {
		return err
	}
	set(v.now, name, b)
	if durable {
		set(v.synced, name, b)
	}
	return nil
}

func set(m map[string][]byte, name string, b []byte) {
	if b == nil {
		delete(m, name)
		return
	}
	m[name] = bytes.Clone(b)
}
