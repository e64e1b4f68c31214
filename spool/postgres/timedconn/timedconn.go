// Package timedconn gives a connection up when its other side is silent for too long, as one does
// that was cut off without a word.
package timedconn

import (
	"net"
	"sync"
	"time"
)

// Conn gives each reading and writing that time. A context for each call would do the same, and cost
// the driver a goroutine.
type Conn struct {
	net.Conn
	Patience time.Duration

	mu  sync.Mutex
	end time.Time // set by the driver when a context ends
}

// SetDeadline is how the driver interrupts a call.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = t
	return c.Conn.SetDeadline(t)
}

// Read fails when nothing came in that time.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write fails when nothing was taken in that time.
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
