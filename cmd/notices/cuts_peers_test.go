//go:build peers

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"notices/cmd/internal/app"
	"notices/spool/postgres/cluster"
	"notices/spool/smtptest"
)

// cutCommand is a command that loses its connection to the database. $QUEUED, $HELD and $FAILED
// in it are messages.
type cutCommand struct {
	argv  string
	reads bool // it changes nothing
	steps bool // it works in several steps, and the next flush goes on with them
}

var cutCommands = []cutCommand{
	{argv: "enqueue new@example.net"},
	{argv: "sendmail new@example.net"},
	{argv: "import two.mbox"},
	{argv: "hold $QUEUED"},
	{argv: "release $HELD"},
	{argv: "retry $FAILED"},
	{argv: "remove $QUEUED"},
	{argv: "return $QUEUED", steps: true},
	{argv: "flush", steps: true},
	{argv: "list", reads: true},
	{argv: "show $QUEUED", reads: true},
	{argv: "history", reads: true},
	{argv: "status", reads: true},
}

// TestCommandsCutOff loses the connection at each kind of statement of each command, before the server
// has it and before its answer arrives, once or for good. The command does what it should, or ends with
// 75 and one line that says so, or with 74 if it is not known whether it queued a message. Nothing is
// lost, half queued or doubled.
func TestCommandsCutOff(t *testing.T) {
	c := newCutSite(t)
	var wg sync.WaitGroup
	for _, command := range cutCommands {
		wg.Go(func() { c.everywhere(command) })
	}
	wg.Wait()
	t.Logf("%d commands, %d cuts, %d of them noticed", len(cutCommands), c.cuts, c.noticed)
}

// cutSite has a database. Each run gets a copy of it.
type cutSite struct {
	t        *testing.T
	server   *cluster.Server
	template *fleet
	ids      *strings.Replacer

	copies        chan struct{} // so many are made at once
	mu            sync.Mutex    // guards what follows
	cuts, noticed int
}

func newCutSite(t *testing.T) *cutSite {
	t.Helper()
	c := &cutSite{t: t, server: startDatabases(t), copies: make(chan struct{}, 4)}
	f := startFleet(t, c.server, 0, map[string]place{"desk": {address: "127.0.0.1"}})
	f.smtp.Set(func(o *smtptest.Options) { o.Reply = refuseGone })
	ids := map[string]string{}
	for _, who := range []string{"gone", "held", "queued"} {
		sender := "library@example.org"
		if who == "gone" {
			sender = "<>"
		}
		ids[who] = strings.TrimSpace(f.runWith("desk", "Subject: Overdue\n\nPlease bring it back.\n", "enqueue", "-f", sender, who+"@example.net"))
		switch who {
		case "gone":
			f.run("desk", "flush") // it is refused, and there is nobody to tell
		case "held":
			f.run("desk", "hold", ids[who])
		}
	}
	c.template, c.ids = f, strings.NewReplacer("$QUEUED", ids["queued"], "$HELD", ids["held"], "$FAILED", ids["gone"])
	return c
}

func refuseGone(stage, line string) string {
	if stage == "RCPT" && strings.Contains(line, "gone@") {
		return "550 5.1.1 no such user"
	}
	return ""
}

// everywhere runs a command, and then once more for each place where the connection can be cut.
func (c *cutSite) everywhere(command cutCommand) {
	before := c.run(command, cluster.Cut{At: -1})
	whole := c.run(command, cluster.Cut{})
	if whole.code != 0 || before.statements != 0 || whole.statements == 0 {
		c.t.Errorf("notices %s: %d, %s", command.argv, whole.code, whole.said)
	}
	cuts := []cluster.Cut{{Stays: true}, {Late: true, Stays: true}}
	if command.reads {
		cuts = []cluster.Cut{{Late: true}, {Stays: true}} // package postgres tests a single loss in commands that write
	}
	var wg sync.WaitGroup
	for _, k := range whole.kinds {
		for _, cut := range cuts {
			cut.At = k
			wg.Go(func() { c.judge(command, cut, before, whole, c.run(command, cut)) })
		}
	}
	wg.Wait()
}

func (c *cutSite) judge(command cutCommand, cut cluster.Cut, before, whole, got cutRun) {
	c.mu.Lock()
	c.cuts++
	if got.code != 0 {
		c.noticed++
	}
	c.mu.Unlock()
	lines, unsure := strings.Count(got.said, "notices: "), strings.Contains(got.said, "may be queued")
	for _, result := range []string{"notices: No mail is sent until", "notices: queued 2 messages", "notices: stopped; queued 0 of 2 messages"} {
		lines -= strings.Count(got.said, result)
	}
	var wrong string
	switch {
	case got.code != 0 && got.code != app.ExitTryLater && !(unsure && got.code == app.ExitIO):
		wrong = "another exit code"
	case got.code != 0 && !cut.Stays && !strings.Contains(got.said, "[spool] database:"): // it had been reached
		wrong = "the loss of one connection was noticed"
	case got.code == 0 && !command.reads && got.state != whole.state:
		wrong = "it is not done"
	case got.code != 0 && lines != 1:
		wrong = fmt.Sprintf("%d lines", lines)
	case !command.steps && got.code != 0 && got.state != before.state && got.state != whole.state:
		wrong = "it is done by half"
	case strings.HasPrefix(command.argv, "enqueue") && got.code != 0 && got.state == whole.state && !unsure:
		wrong = "it is queued, and that was not said"
	case got.remains != "0|0|0|0":
		wrong = "remains: " + got.remains
	case command.steps && got.end != whole.end && got.end != before.end:
		wrong = fmt.Sprintf("in the end %s, and not %s or %s", got.end, before.end, whole.end)
	case got.doubled > 1:
		wrong = fmt.Sprintf("%d doubled", got.doubled)
	}
	if wrong != "" {
		c.t.Errorf("notices %s, %+v of %d: %s: exit %d: %s\nstate %s; before %s, whole %s", command.argv, cut, whole.statements, wrong, got.code, got.said, got.state, before.state, whole.state)
	}
}

// cutRun is what became of a run.
type cutRun struct {
	code       int
	said       string
	statements int
	kinds      []int  // the first statement of each kind
	state      string // of the messages, afterwards
	remains    string // rows that belong to no message
	end        string // the history, after a flush
	doubled    int
}

// run runs a command in a new database, or none if the cut is at -1.
func (c *cutSite) run(command cutCommand, cut cluster.Cut) (r cutRun) {
	f, p, err := c.site(command)
	if err != nil {
		c.t.Error(err)
		return r
	}
	p.Plan(cut)
	if cut.At >= 0 {
		cmd := f.command("cut", strings.Fields(c.ids.Replace(command.argv))...)
		var said bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader("Subject: Overdue\n\nPlease bring it back.\n"), &said
		if err := ignoreExit(cmd.Run()); err != nil {
			c.t.Error(err)
		}
		r.code, r.said, r.statements, r.kinds = cmd.ProcessState.ExitCode(), said.String(), p.Count(), p.Kinds()
	}
	r.state = f.query(`update notices.session set expires = clock_timestamp();
		select string_agg(state::text || events, ' ' order by id) || ', ' || (select count(distinct id) from notices.import_key) from notices.message`)
	r.remains = f.query(`select notices.sweep(); select (select count(*) from notices.draft),
		(select count(*) from notices.content where id not in (select id from notices.message)),
		(select count(*) from notices.chunk where body not in (select body from notices.message)),
		(select count(*) from notices.message where id not in (select id from notices.content))`)
	r.remains = r.remains[strings.LastIndex(r.remains, "\n")+1:]
	if command.steps {
		if out, err := f.command("desk", "flush", "--all").CombinedOutput(); err != nil {
			c.t.Errorf("the next flush: %v: %s", err, out)
		}
		r.end = f.query(`select string_agg(recipient || ' ' || ending, ', ' order by recipient) from notices.history`)
		_, r.doubled = f.count()
	}
	return r
}

// site is a copy of the template, with a server of its own.
func (c *cutSite) site(command cutCommand) (*fleet, *cluster.Proxy, error) {
	f := &fleet{t: c.t, dir: c.t.TempDir(), server: c.server, hosts: c.template.hosts}
	var err error
	if f.smtp, err = smtptest.Start(smtptest.Options{Reply: refuseGone}); err != nil {
		return nil, nil, err
	}
	c.t.Cleanup(f.smtp.Close)
	p, err := c.server.StartProxy()
	if err != nil {
		return nil, nil, err
	}
	c.t.Cleanup(func() { p.Stop() })
	if f.database = c.template.database; !command.reads {
		c.copies <- struct{}{}
		f.database, err = c.server.NewDatabaseAs(c.template.database)
		<-c.copies
	}
	text, readErr := os.ReadFile(filepath.Join(c.template.dir, "desk.toml"))
	if err != nil || readErr != nil {
		return nil, nil, fmt.Errorf("%w, %w", err, readErr)
	}
	desk := strings.Replace(string(text), fmt.Sprintf("port = %d", c.template.smtp.Port()), fmt.Sprintf("port = %d", f.smtp.Port()), 1)
	desk = strings.Replace(desk, "/"+c.template.database+"?", "/"+f.database+"?", 1)
	f.write("desk.toml", desk)
	f.write("cut.toml", strings.Replace(desk, fmt.Sprintf("127.0.0.1:%d/", c.server.Port), p.Address()+"/", 1))
	f.write("two.mbox", twoMessages)
	return f, p, nil
}

const twoMessages = `From library@example.org Mon Nov 30 06:00:00 2026
To: new@example.net
Subject: Overdue 1

Please bring it back.

From library@example.org Mon Nov 30 06:00:00 2026
To: other@example.net
Subject: Overdue 2

Please bring it back.
`
