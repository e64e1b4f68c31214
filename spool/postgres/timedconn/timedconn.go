// Package timedconn gives a connection up when its other side is silent for too long: a connection
// that was cut off gets no other sign of it.
package timedconn

import (
	"net"
	"sync"
	"time"
)

// Conn limits each Read and each Write to Patience. A context for each call would do the same, but
// cost the driver a goroutine.
type Conn struct {
	net.Conn
	Patience time.Duration

	mu  sync.Mutex
	end time.Time // the driver sets it when a context ends
}

// SetDeadline is how the driver interrupts a call.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = t
	return c.Conn.SetDeadline(t)
}

// Read fails if nothing comes within Patience.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write fails if nothing is taken within Patience.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *Conn) arm(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now().Add(c.Patience)
	if !c.end.IsZero() && c.end.Before(t) {
		t = c.end
	}
	return set(t)
}
