package route

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestGate: whoever comes by waits until the last message has left the gate, or until its
// context ends.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if waited, err := g.wait(t.Context()); waited || err != nil {
			t.Errorf("an empty gate: %v, %v", waited, err)
		}
		g.enter()
		g.enter()
		passed := make(chan error, 1)
		go func() {
			waited, err := g.wait(t.Context())
			if !waited {
				t.Error("it did not wait")
			}
			passed <- err
		}()
		g.leave()
		synctest.Wait()
		if len(passed) > 0 {
			t.Error("it passed before the last message had left")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
		g.leave()
		if err := <-passed; err != nil {
			t.Error(err)
		}
	})
}
