package submission

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maildirtest"
)

// desk is an intake with its store, and a way to talk to it.
type desk struct {
	t testing.TB
	Options
	store spool.Store
}

func newDesk(t testing.TB) *desk {
	store := maildirtest.New()
	now := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	return &desk{t: t, store: store, Options: Options{
		Intake: &intake.Intake{
			Store:   store,
			Site:    intake.Site{Name: "Library", Address: "library@example.org", FindHostname: func() string { return "desk.example.org" }},
			MaxSize: 2000,
			Now:     func() time.Time { return now },
		},
		Hostname: "desk.example.org",
		Local:    true,
	}}
}

// says gives the server all of the client's words at once, as a pipe does, and
// returns its replies, the greeting first.
func (d *desk) says(text string) []string {
	d.t.Helper()
	var out strings.Builder
	Serve(context.Background(), Stdio(strings.NewReader(text), &out), d.Options)
	return strings.Split(strings.TrimSuffix(out.String(), "\r\n"), "\r\n")
}

// codes are the replies without their words; lines of one reply count as one.
func codes(replies []string) string {
	var list []string
	for _, reply := range replies {
		if len(reply) < 4 || reply[3] != '-' {
			list = append(list, reply[:min(3, len(reply))])
		}
	}
	return strings.Join(list, " ")
}

// queued are the messages in the store, in no order: envelope and text.
func (d *desk) queued() []string {
	d.t.Helper()
	var found []string
	err := d.store.Scan(context.Background(), func(e spool.Entry) bool {
		record, body, err := d.store.Peek(context.Background(), e)
		if err != nil {
			d.t.Fatal(err)
		}
		defer body.Close()
		text, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		if err != nil {
			d.t.Fatal(err)
		}
		env := record.Envelope
		found = append(found, fmt.Sprintf("<%s> %s\n%s", env.Sender, strings.Join(env.Recipients, " "), text))
		return true
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

// client is a conversation in which each side waits for the other.
type client struct {
	t     testing.TB
	conn  net.Conn
	r     *bufio.Reader
	ended chan struct{}
}

func (d *desk) dial() *client {
	ours, theirs := net.Pipe()
	c := &client{t: d.t, conn: ours, r: bufio.NewReader(ours), ended: make(chan struct{})}
	go func() {
		Serve(context.Background(), theirs, d.Options)
		close(c.ended)
	}()
	d.t.Cleanup(func() {
		ours.Close()
		<-c.ended
	})
	return c
}

// sends writes text and wants a reply that begins so.
func (c *client) sends(text, want string) {
	c.t.Helper()
	if text != "" {
		if _, err := io.WriteString(c.conn, text); err != nil {
			c.t.Fatalf("%q: %v", text, err)
		}
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%q: %v", text, err)
		}
		if line[3] != '-' {
			if !strings.HasPrefix(line, want) {
				c.t.Fatalf("%q: %q, want %s", text, line, want)
			}
			return
		}
	}
}
