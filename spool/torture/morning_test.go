package torture

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/flush"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
	"notices/spool/route"
	"notices/spool/schedule"
	"notices/spool/smtptest"
)

// morning is a site on its way to real servers: a spool, the route, flush, and a clock.
type morning struct {
	t       *testing.T
	store   spool.Store
	servers []*smtptest.Server
	clock   time.Time
	address string // of the site
	most    int    // connections
}

// answers is what a server says: a stage ("" for none), a reply, and to which line.
type answers struct{ stage, reply, about string }

func newMorning(t *testing.T, servers ...*smtptest.Server) *morning {
	disk := simfs.New()
	store, err := maildir.Open("/spool", maildir.Options{FS: disk.Open(func(simfs.Step) error { return nil })})
	if err != nil {
		t.Fatal(err)
	}
	return &morning{t: t, store: store, servers: servers, clock: time.Unix(1_900_000_000, 0), address: "library@example.org", most: 4}
}

func saying(t *testing.T, a answers) *smtptest.Server {
	return smtptest.New(t, smtptest.Options{Reply: a.to})
}

func (a answers) to(stage, line string) string {
	if stage == a.stage && strings.Contains(line, a.about) {
		return strings.ReplaceAll(a.reply, `\n`, "\n")
	}
	return ""
}

// put queues n notices.
func (m *morning) put(n int) {
	m.t.Helper()
	for i := range n {
		m.one(spool.ID(fmt.Sprintf("M%d-%d", m.clock.Unix(), i)), "desk@example.org", fmt.Sprintf("patron%d@example.net", i))
	}
}

func (m *morning) one(id spool.ID, sender, to string) {
	m.t.Helper()
	id = spool.ID(strings.ReplaceAll(string(id), "-", "x")) // a derived id has a hyphen
	text := "From: desk@example.org\r\nTo: " + to + "\r\nSubject: overdue\r\n\r\nPlease bring it back.\r\n"
	d, err := m.store.New(m.t.Context(), id)
	if err == nil {
		_, err = io.WriteString(d, text)
	}
	if err == nil {
		err = d.Seal(spool.Envelope{ID: id, Sender: sender, Recipients: []string{to}, QueuedAt: m.clock, Size: int64(len(text))})
	}
	if err == nil {
		_, err = m.store.Commit(m.t.Context(), d)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *morning) flush() spool.Tally {
	m.t.Helper()
	now := func() time.Time { return m.clock }
	o := route.Options{State: m.store.State(), Now: now}
	for i, s := range m.servers {
		one := route.Server{Connections: m.most, MessagesPerConnection: 50}
		one.Name, one.Host, one.Port, one.Timeout = fmt.Sprint(i+1), s.Host(), s.Port(), 20*time.Second
		one.AllowNonSecure = true // these tests are not about TLS
		o.Servers = append(o.Servers, one)
	}
	route := route.New(o)
	tally, err := flush.Run(m.t.Context(), flush.Options{
		Store: m.store, Deliverer: route, Policy: rules, Now: now,
		Site: bounce.Site{Name: "Library", Address: m.address, Hostname: "mail.example.org"},
	})
	if err == nil {
		err = route.Close(m.t.Context())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return tally
}

func (m *morning) pass(d time.Duration) { m.clock = m.clock.Add(d) }

// queue lists what waits, and what is in failed/.
func (m *morning) queue() (waiting []*spool.Record, failed int) {
	m.t.Helper()
	err := m.store.Scan(m.t.Context(), func(e spool.Entry) bool {
		r, b, err := m.store.Peek(m.t.Context(), e)
		if err != nil {
			m.t.Fatal(err)
		}
		b.Close()
		waiting = append(waiting, r)
		return true
	})
	if err == nil {
		err = m.store.ScanFailed(m.t.Context(), func(spool.Entry) bool { failed++; return true })
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return waiting, failed
}

// attempts counts those of all that waits.
func (m *morning) attempts() (n int) {
	waiting, _ := m.queue()
	for _, r := range waiting {
		n += r.Attempts
	}
	return n
}

func (m *morning) health(name string) spool.Health {
	m.t.Helper()
	h, err := spool.LoadState[spool.Health](m.t.Context(), m.store.State(), spool.HealthName+name)
	if err != nil {
		m.t.Fatal(err)
	}
	return h
}

// wants checks how many notices the servers took, how many wait, and that nothing failed.
func (m *morning) wants(what string, taken, waiting int) {
	m.t.Helper()
	got := 0
	for _, s := range m.servers {
		got += len(s.Messages())
	}
	w, failed := m.queue()
	if got != taken || len(w) != waiting || failed != 0 {
		m.t.Errorf("%s: %d taken, %d wait, %d in failed/; want %d and %d", what, got, len(w), failed, taken, waiting)
	}
}

// rules are the default schedule of notices.toml(5).
var rules = schedule.Policy{
	ShortRange: 3 * time.Hour,
	ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
	LongDelay:  [2]time.Duration{60 * time.Minute, 90 * time.Minute},
	GiveUp:     100 * time.Hour,
}
