//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"notices/spool/postgres/cluster"
	"notices/spool/smtptest"
)

// fleet has hosts, one database, and a mail server that holds back answers to final dots. A host is a
// config of its own, with which the program is run.
type fleet struct {
	t        *testing.T
	dir      string
	server   *cluster.Server
	database string
	smtp     *smtptest.Server
	gate     *gate
	messages int
	hosts    map[string]place
}

// place is where a host is: inside runs a command there, and env adds to its environment. Both
// servers are reached by address.
type place struct {
	address string
	inside  []string
	env     []string
}

// gate holds back answers to final dots. At first it does not.
type gate struct {
	held chan struct{} // one for each that is held back

	mu     sync.Mutex
	holds  bool
	free   int // so many answers come at once even so
	opened chan struct{}
	delay  time.Duration
}

const (
	fleetMessages = 200
	fleetFirst    = 10
	fleetInFlight = 4 // connections of each host
)

// newFleet has two hosts, desk and office.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	here := place{address: "127.0.0.1"}
	f := startFleet(t, startDatabases(t), fleetMessages, map[string]place{"desk": here, "office": here})
	f.queue("desk")
	return f
}

// startFleet gives the hosts a new database and a server.
func startFleet(t *testing.T, server *cluster.Server, messages int, hosts map[string]place) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), server: server, gate: &gate{held: make(chan struct{}, 2*messages)}, messages: messages, hosts: hosts}
	f.smtp = smtptest.New(t, smtptest.Options{Address: "0.0.0.0", Reply: f.gate.reply})
	var err error
	if f.database, err = f.server.NewDatabase(); err != nil {
		t.Fatal(err)
	}
	for host, at := range hosts {
		f.write(host+".toml", fmt.Sprintf(`
[site]
address = "library@example.org"
hostname = "%s.example.org"
[[server]]
host = "%s"
port = %d
allow_non_secure = true
connections = %d
timeout = "5s"
data_timeout = "1m"
[spool]
database = "postgres://postgres@%[2]s:%[5]d/%[6]s?sslmode=disable"
`, host, at.address, f.smtp.Port(), fleetInFlight, server.Port, f.database))
	}
	return f
}

// queue queues the messages, and sends the first few: the server is known to work.
func (f *fleet) queue(host string) {
	f.t.Helper()
	var mbox bytes.Buffer
	for i := range f.messages {
		fmt.Fprintf(&mbox, "From library@example.org Mon Nov 30 06:00:00 2026\nTo: patron%d@example.net\nSubject: Overdue %d\n\nPlease bring it back.\n\n", i, i)
	}
	f.write("notices.mbox", mbox.String())
	f.run(host, "import", "notices.mbox")
	f.run(host, "flush", "--max", fmt.Sprint(fleetFirst))
}

func (f *fleet) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// reply is called before each answer.
func (g *gate) reply(stage, _ string) string {
	if stage != "dot" {
		return ""
	}
	g.mu.Lock()
	g.free--
	hold, opened, delay := g.holds && g.free < 0, g.opened, g.delay
	g.mu.Unlock()
	time.Sleep(delay) // a slow server keeps mail in flight; no test expects a certain time
	if hold {
		g.held <- struct{}{}
		<-opened
	}
	return ""
}

// hold lets so many answers through and holds back those that follow, until letGo is called.
func (g *gate) hold(behind int) (letGo func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	opened := make(chan struct{})
	g.holds, g.free, g.opened = true, behind, opened
	return func() { close(opened) }
}

// slow delays each answer.
func (g *gate) slow(delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = delay
}

// open holds back no further answers.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = false
}

func (f *fleet) command(host string, args ...string) *exec.Cmd {
	at := f.hosts[host]
	argv := slices.Concat(at.inside, []string{"notices", "--config", host + ".toml"}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = f.dir
	cmd.Env = append(append(environment(f.dir), "PATH="+os.Getenv("PATH"), "TZ=UTC"), at.env...)
	return cmd
}

func (f *fleet) run(host string, args ...string) string {
	f.t.Helper()
	return f.runWith(host, "", args...)
}

// runWith runs a command with a text to read.
func (f *fleet) runWith(host, text string, args ...string) string {
	f.t.Helper()
	cmd := f.command(host, args...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("%s: notices %v: %v", host, args, err)
	}
	return string(out)
}

// flushUntilHeld starts a flush and returns when all its connections wait for an answer.
func (f *fleet) flushUntilHeld(host string, ids ...string) (*exec.Cmd, *bytes.Buffer) {
	f.t.Helper()
	cmd, said := f.command(host, append([]string{"flush", "--json"}, ids...)...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	for range fleetInFlight {
		select {
		case <-f.gate.held:
		case <-time.After(time.Minute): // only ends a test that would wait for ever
			f.t.Fatalf("%s does not send: %s", host, said)
		}
	}
	return cmd, said
}

// query is sql for goroutines.
func (f *fleet) query(statement string) string {
	out, err := f.server.SQL(f.database, statement)
	if err != nil {
		f.t.Error(err)
	}
	return out
}

func (f *fleet) sql(statement string) string {
	f.t.Helper()
	out, err := f.server.SQL(f.database, statement)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// claimsEndSoon checks that all claims are free within a minute, unless their host gives a sign of
// life, and ends them now.
func (f *fleet) claimsEndSoon() {
	f.t.Helper()
	if n := f.sql(`select count(*) from notices.session where expires > clock_timestamp() + interval '1 minute'`); n != "0" {
		f.t.Errorf("%s sessions last longer than a minute", n)
	}
	f.sql(`update notices.session set expires = clock_timestamp()`)
}

// count says how many messages the server has not taken, and how many it has taken again.
func (f *fleet) count() (lost, doubled int) {
	taken := map[string]int{}
	for _, m := range f.smtp.Messages() {
		taken[m.Recipients[0]]++
	}
	for i := range f.messages {
		if taken[fmt.Sprintf("patron%d@example.net", i)] == 0 {
			lost++
		}
	}
	for _, n := range taken {
		doubled += n - 1
	}
	return lost, doubled
}

// done checks that each message has left, is in the history as delivered once, and was not lost, and
// that no more were doubled than were in flight.
func (f *fleet) done(inFlight int) {
	f.t.Helper()
	if left := f.sql(`select count(*) from notices.message`); left != "0" {
		f.t.Errorf("%s messages are left", left)
	}
	if n := f.sql(`select count(*), count(distinct recipient) from notices.history where ending = 'delivered'`); n != fmt.Sprintf("%d|%[1]d", f.messages) {
		f.t.Errorf("the history has %s deliveries", n)
	}
	lost, doubled := f.count()
	if lost > 0 || doubled > inFlight {
		f.t.Errorf("%d lost, %d doubled, %d were in flight", lost, doubled, inFlight)
	}
	f.t.Logf("%d messages, %d in flight, %d lost, %d doubled", f.messages, inFlight, lost, doubled)
}

// rewrite changes the config of a host.
func (f *fleet) rewrite(host, before, after string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, host+".toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(host+".toml", strings.Replace(string(text), before, after, 1))
}

// taken is how many messages the mail server has taken.
func (f *fleet) taken() int { return len(f.smtp.Messages()) }

// awaits polls until something has come: in other processes, which do not say so.
func (f *fleet) awaits(what string, come func() bool) {
	f.t.Helper()
	for range 1200 { // only ends a test that would wait for ever
		if come() {
			return
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
	f.t.Fatalf("%s did not come", what)
}

// flushesAll flushes on a host until no message is left, also those that others had claimed.
func (f *fleet) flushesAll(host string) {
	f.t.Helper()
	f.awaits("the end of the queue", func() bool {
		f.run(host, "flush", "--all")
		return f.sql(`select count(*) from notices.message`) == "0"
	})
}

// start starts a command on a host.
func (f *fleet) start(host string, args ...string) *run {
	f.t.Helper()
	return f.startWith(host, "", args...)
}

// startWith starts a command with a text to read.
func (f *fleet) startWith(host, text string, args ...string) *run {
	f.t.Helper()
	r := &run{t: f.t, host: host, cmd: f.command(host, args...), said: &bytes.Buffer{}}
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = strings.NewReader(text), r.said, r.said
	if err := r.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	return r
}

// startUntilHeld starts a flush, and returns when all its connections wait for an answer.
func (f *fleet) startUntilHeld(host string, ids ...string) *run {
	f.t.Helper()
	cmd, said := f.flushUntilHeld(host, ids...)
	return &run{t: f.t, host: host, cmd: cmd, said: said}
}

// run is a command that runs on a host.
type run struct {
	t    *testing.T
	host string
	cmd  *exec.Cmd
	said *bytes.Buffer
}

func (r *run) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// ends waits for the end, and checks the exit code and what was said.
func (r *run) ends(code int, words ...string) {
	r.t.Helper()
	if err := ignoreExit(r.cmd.Wait()); err != nil {
		r.t.Error(err)
	}
	r.ended(code, words...)
}

// ended is ends for a command that was waited for.
func (r *run) ended(code int, words ...string) {
	r.t.Helper()
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Errorf("%v ended with %d, not %d: %s", r.cmd.Args, got, code, r.said)
	}
	for _, w := range words {
		if !strings.Contains(r.said.String(), w) {
			r.t.Errorf("%v did not say %q: %s", r.cmd.Args, w, r.said)
		}
	}
}

// oneLine checks that the trouble is said in one line. A flush adds a line about the mail.
func (r *run) oneLine() {
	r.t.Helper()
	said := strings.Replace(r.said.String(), "notices: No mail is sent until this is fixed. Queued mail is safe.\n", "", 1)
	if strings.Count(said, "\n") != 1 {
		r.t.Errorf("%v did not say one line: %s", r.cmd.Args, r.said)
	}
}

// ignoreExit drops the error of a program that was killed, or ended with an exit code.
func ignoreExit(err error) error {
	if errors.As(err, new(*exec.ExitError)) {
		return nil
	}
	return err
}
