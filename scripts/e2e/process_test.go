//go:build peers

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. No test waits that long unless it fails.
const patience = 30 * time.Second

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// starter starts all processes from one thread that lives as long as the tests do,
// since Pdeathsig goes by the thread: a test binary that dies leaves no server.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		goruntime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// server is a process group that a test started.
type server struct {
	cmd    *exec.Cmd
	output string
	ended  chan struct{}
}

func startServer(t *testing.T, output, name string, args ...string) *server {
	t.Helper()
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(t, err)
	defer file.Close()
	s := &server{cmd: exec.Command(name, args...), output: output, ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = file, file
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	starter() <- func() { started <- s.cmd.Start() }
	check(t, <-started)
	go func() {
		s.cmd.Wait() // how it ended is of no interest: the tests look at what it did
		close(s.ended)
	}()
	t.Cleanup(s.stop)
	return s
}

// signal goes to the process and all that it started.
func (s *server) signal(sig syscall.Signal) {
	syscall.Kill(-s.cmd.Process.Pid, sig) // gone already is well, too
}

// stop ends the whole group.
func (s *server) stop() {
	s.signal(syscall.SIGCONT)
	s.signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience / 3):
	}
	s.signal(syscall.SIGKILL)
	<-s.ended
}

// ports are taken from below the range that outgoing connections draw from.
var ports struct {
	sync.Mutex
	last int
}

func freePort(t *testing.T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.last == 0 {
		ports.last = 20000 + rand.IntN(8000)
	}
	for range 1000 {
		ports.last++
		if listener, err := net.Listen("tcp", address(ports.last)); err == nil {
			listener.Close()
			return ports.last
		}
	}
	t.Fatal("no free port")
	return 0
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// greets reports whether an SMTP server answers there.
func greets(port int, implicitTLS bool) bool {
	conn, err := net.DialTimeout("tcp", address(port), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if implicitTLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // only asks whether it is up
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Fprint(conn, "QUIT\r\n")
	return err == nil && strings.HasPrefix(line, "220 ")
}
