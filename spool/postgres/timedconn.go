package postgres

import (
	"net"
	"sync"
	"time"
)

// answerTime is how long the server may be silent within a call. Then the connection is given
// up, as one that was cut off without a word, unless Options.Patience says otherwise.
const answerTime = 30 * time.Second

// timedConn gives each reading and writing that time. A context for each call would do the
// same, and cost the driver a goroutine.
type timedConn struct {
	net.Conn
	patience time.Duration

	mu  sync.Mutex
	end time.Time // set by the driver when a context ends
}

// SetDeadline is how the driver interrupts a call.
func (c *timedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = t
	return c.Conn.SetDeadline(t)
}

func (c *timedConn) Read(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *timedConn) Write(p []byte) (int, error) {
	if err := c.arm(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *timedConn) arm(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now().Add(c.patience)
	if !c.end.IsZero() && c.end.Before(t) {
		t = c.end
	}
	return set(t)
}
