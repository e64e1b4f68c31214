//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"notices/spool/postgres/cluster"
)

// hub is a network namespace with a database server, and with a wire to each host. The test runs in it,
// and each host has a namespace of its own. They are removed at the end of the test. It needs root,
// and Debian's packages iproute2, nftables and util-linux.
type hub struct {
	t      *testing.T
	server *cluster.Server
	wires  atomic.Int64
}

// inHub runs the test of that name once more, in a network namespace of its own, and reports
// whether this is that run.
func inHub(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HUB") == t.Name() {
		return true
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--net", "--", program, "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m", "-test.parallel", "20")
	cmd.Env = append(os.Environ(), "HUB="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, ".go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
	return false
}

// newHub starts the database server, which the hosts reach by the wires.
func newHub(t *testing.T) *hub {
	t.Helper()
	h := bareHub(t)
	if err := errors.Join(h.server.Configure("listen_addresses = '*'\n"), h.server.Admit("host all all 10.0.0.0/8 trust")); err != nil {
		t.Fatal(err)
	}
	return h
}

// bareHub starts the database server as it is installed: it takes connections from its own machine alone.
func bareHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{t: t}
	h.run("ip", "link", "set", "lo", "up")
	h.run("nft", `table ip cuts {
		set to { type ipv4_addr . inet_service; }
		set from { type ipv4_addr . inet_service; }
		chain in { type filter hook input priority 0; ip saddr . tcp dport @to drop; }
		chain out { type filter hook output priority 0; ip daddr . tcp sport @from drop; }
	}`)
	h.server = startDatabases(t)
	return h
}

func (h *hub) run(argv ...string) {
	h.t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// fleet starts so many hosts, h1, h2 and so on, and queues messages.
func (h *hub) fleet(t *testing.T, hosts, messages int) *netFleet {
	t.Helper()
	places := map[string]place{}
	for i := range hosts {
		places[fmt.Sprintf("h%d", i+1)] = h.join(t)
	}
	f := &netFleet{startFleet(t, h.server, messages, places), h}
	f.queue("h1")
	return f
}

// join makes the namespace of a host, and the wire to it.
func (h *hub) join(t *testing.T) place {
	t.Helper()
	holder := exec.Command("unshare", "--net", "--", "sh", "-c", "echo up; exec cat") // until end of file
	in, err := holder.StdinPipe()
	said, outErr := holder.StdoutPipe()
	if err = errors.Join(err, outErr, holder.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), holder.Wait()); err != nil {
			t.Error(err)
		}
	})
	if _, err := io.ReadFull(said, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	pid, n := fmt.Sprint(holder.Process.Pid), h.wires.Add(1)
	wire, here, there := fmt.Sprintf("wire%d", n), fmt.Sprintf("10.0.%d.1", n), fmt.Sprintf("10.0.%d.2", n)
	inside := []string{"nsenter", "--net=/proc/" + pid + "/ns/net", "--"}
	h.run("ip", "link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", pid)
	h.run("ip", "address", "add", here+"/24", "dev", wire)
	h.run("ip", "link", "set", wire, "up")
	for _, argv := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", there + "/24", "dev", "eth0"}, {"link", "set", "eth0", "up"}} {
		h.run(append(append(inside[:3:3], "ip"), argv...)...)
	}
	return place{address: here, inside: inside}
}

// netFleet is a fleet whose wires can be cut.
type netFleet struct {
	*fleet
	hub *hub
}

// Directions of a cut: what the host sends is lost, or what is sent to it, or both. Packets are dropped
// without an error to either side.
const (
	toServer = 1 << iota
	fromServer
	bothWays = toServer | fromServer
)

// cut drops what goes between a host and a port.
func (f *netFleet) cut(host string, port, ways int) { f.wire("add", host, port, ways) }

// heal ends a cut.
func (f *netFleet) heal(host string, port, ways int) { f.wire("delete", host, port, ways) }

func (f *netFleet) wire(do, host string, port, ways int) {
	f.t.Helper()
	for way, set := range map[int]string{toServer: "to", fromServer: "from"} {
		if ways&way != 0 {
			there := strings.TrimSuffix(f.hosts[host].address, ".1") + ".2"
			f.hub.run("nft", do, "element", "ip", "cuts", set, fmt.Sprintf("{ %s . %d }", there, port))
		}
	}
}

// leaseEnds lets the lease of a host end now.
func (f *netFleet) leaseEnds(host string) {
	f.t.Helper()
	f.sql(`update notices.session set expires = clock_timestamp() where host = '` + host + `.example.org'`)
}

// member is a host that flushes again and again.
type member struct {
	t       *testing.T
	host    string
	stopped chan struct{}
	ended   chan struct{}

	mu  sync.Mutex
	now *exec.Cmd
}

func (f *netFleet) keepsFlushing(host string) *member {
	m := &member{t: f.t, host: host, stopped: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		for {
			select {
			case <-m.stopped:
				return
			default:
				m.flush(f.command(host, "flush", "--all"))
			}
		}
	}()
	return m
}

// flush runs a flush, which may be killed or cut off.
func (m *member) flush(cmd *exec.Cmd) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	m.mu.Lock()
	m.now = cmd
	err := cmd.Start()
	m.mu.Unlock()
	if err == nil {
		err = ignoreExit(cmd.Wait())
	}
	if code := cmd.ProcessState.ExitCode(); err != nil || code > 0 && code != 75 {
		m.t.Errorf("%s: a flush ended with %d: %v: %s", m.host, code, err, &said)
	}
}

// signal sends a signal to the flush that runs, if one does.
func (m *member) signal(s syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil {
		_ = m.now.Process.Signal(s) // it may have ended
	}
}

func (m *member) stop() {
	close(m.stopped)
	m.signal(syscall.SIGCONT)
	<-m.ended
}
