package submission

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// counting is a Meter that writes down what it is told.
type counting struct {
	mu   sync.Mutex
	told []string
}

func (c *counting) add(format string, v ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, fmt.Sprintf(format, v...))
}

func (c *counting) Connected()                       { c.add("connected") }
func (c *counting) LoggedIn(ok bool)                 { c.add("login %v", ok) }
func (c *counting) Refused(codes string)             { c.add("refused %s", codes) }
func (c *counting) Taken(octets int64)               { c.add("taken %v", octets > 0) }
func (c *counting) Committed(n int, _ time.Duration) { c.add("committed %d", n) }

// TestMeter: what a Server counts of a visit.
func TestMeter(t *testing.T) {
	in(t, func(t *testing.T) {
		m := &counting{}
		h := newHosting(t, func(s *Server) { s.Meter, s.MessagesPerDay = m, 1 })
		plain := h.client(h.connect(h.plain))
		plain.sends("", "220 ")
		plain.sends("MAIL FROM:<a@b.example>\r\n", "530 ")
		plain.sends("QUIT\r\n", "221 ")
		c := h.visit()
		c.sends("EHLO me\r\n", "250 ")
		c.sends(plainAuth("library", "wrong"), "535 ")
		c.sends(plainAuth("library", h.key), "235 ")
		c.hands("250 ")
		c.sends("MAIL FROM:<a@b.example>\r\n", "451 ")
		c.sends("NONSENSE\r\n", "501 ")
		c.sends("QUIT\r\n", "221 ")
		m.mu.Lock()
		defer m.mu.Unlock()
		want := []string{"connected", "refused 530 5.7.0", "connected", "login false", "refused 535 5.7.8", "login true", "committed 1", "taken true", "refused 451 4.7.1", "refused 501 5.5.2"}
		if !slices.Equal(m.told, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(m.told, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestRefusedCodes: only codes become a label, whatever the text.
func TestRefusedCodes(t *testing.T) {
	for reply, want := range map[string]string{
		"250 2.0.0 ok\r\n": "[]", "421-4.3.2 more\r\n": "[]", "": "[]", "42": "[]", "354 go\r\n": "[]",
		"421 4.3.2 stopping\r\n": "[refused 421 4.3.2]", "500 no\r\n": "[refused 500]", "500 5.not\r\n": "[refused 500]",
		"501 4.1.1 x\r\n": "[refused 501]", "550 5.1.1\r\n": "[refused 550 5.1.1]", "550 \r\n": "[refused 550]", "550  x y\r\n": "[refused 550]",
	} {
		m := &counting{}
		refused(m, []byte(reply))
		if got := fmt.Sprint(m.told); got != want {
			t.Errorf("%q: %s", reply, got)
		}
	}
}
