package status

import (
	"context"
	"time"

	"notices/cmd/notices/metrics"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// host is one of the machines that share the spool.
type host struct {
	Host      string     `json:"host"`
	LastFlush *time.Time `json:"last_flush"` // null: it has not ended one yet
	Claimed   int        `json:"claimed"`

	age time.Duration // of the last flush, by the clock of the database
}

// hostAge is how old the last flush of a host may be.
const hostAge = 24 * time.Hour

// hosts finds who shares the spool. A check does not count what they have claimed.
func (c *collector) hosts(ctx context.Context) error {
	shared, ok := c.q.Store.(spool.Hosts)
	if !ok {
		return nil
	}
	list, err := shared.Hosts(ctx, !c.o.Check)
	c.s.Hosts = []host{}
	for _, h := range list {
		c.s.Hosts = append(c.s.Hosts, host{Host: h.Name, LastFlush: term.Stamp(h.LastFlush), Claimed: h.Claimed, age: h.Age})
	}
	return err
}

// hosts checks that each host that used to flush still does. Others send its mail meanwhile.
func (c *verdict) hosts() {
	const shown = 3
	old := 0
	for _, h := range c.s.Hosts {
		if h.LastFlush == nil || h.age <= hostAge {
			continue
		}
		if old++; old <= shown {
			c.note(Warning, "host %s last flushed %s ago: cron or a timer should run notices flush there; if it is gone for good, notices-machines(7) says how it is forgotten", h.Host, term.Span(h.age))
		}
	}
	if old > shown {
		c.note(Warning, "%s not flushed for a day", haveHosts(old-shown))
	}
}

// haveHosts is `1 more host has` or `2 more hosts have`.
func haveHosts(n int) string {
	if n == 1 {
		return "1 more host has"
	}
	return printable.Count(n, "more host") + " have"
}

// hosts shows when each host last flushed, and what it has claimed.
func (t *statusText) hosts() {
	if len(t.s.Hosts) > 0 {
		t.Title(term.Bold, "Hosts")
	}
	for _, h := range t.s.Hosts {
		shade, text := term.Colour(""), "its first flush runs"
		if h.LastFlush != nil {
			text = "last flush " + term.Clock(*h.LastFlush) + " (" + term.Ago(*h.LastFlush, h.LastFlush.Add(h.age)) + ")"
		}
		if h.age > hostAge {
			shade = term.Yellow
		}
		if h.Claimed > 0 {
			text += ", " + printable.Count(h.Claimed, "message") + " claimed now"
		}
		t.Row("  ", shade, "%s: %s", h.Host, text)
	}
}

func (m *exporter) hosts(list []host) {
	var last, claimed []metrics.Point
	for _, h := range list {
		if h.LastFlush != nil {
			last = append(last, metrics.Value(h.LastFlush.Unix(), "host", h.Host))
		}
		claimed = append(claimed, metrics.Value(h.Claimed, "host", h.Host))
	}
	m.Gauge("notices_host_last_flush_timestamp_seconds", "When a host that shares the spool last ended a flush.", last...)
	m.Gauge("notices_host_claimed_messages", "Messages that a host which shares the spool has claimed now.", claimed...)
}
