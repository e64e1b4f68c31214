//go:build linux

// Package servers runs other people's servers for tests: Postfix, Dovecot, Mailpit, a
// provider of sign-ins. They end with the test binary, even if it is killed.
package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Patience bounds every wait. No test waits that long unless it fails.
const Patience = 30 * time.Second

// Within polls for a condition and reports whether it came true in time.
func Within(condition func() bool) bool {
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// OnStarter runs f on the thread that starts all processes. It lives as long as the tests:
// Pdeathsig ends a process with the thread that started it.
func OnStarter(f func() error) error {
	done := make(chan error)
	starter() <- func() { done <- f() }
	return <-done
}

var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Server is a process group that a test started.
type Server struct {
	Output string        // the file that its output goes to
	Ended  chan struct{} // closed when its first process has ended, successfully or not

	cmd *exec.Cmd
}

// Start starts a server in a process group of its own.
func Start(cmd *exec.Cmd, output string) (*Server, error) {
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if err := OnStarter(cmd.Start); err != nil {
		return nil, err
	}
	s := &Server{Output: output, Ended: make(chan struct{}), cmd: cmd}
	go func() {
		_ = cmd.Wait()
		close(s.Ended)
	}()
	return s, nil
}

// PID returns the id of the first process, which is that of the group.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Signal sends a signal to the process and all that it started.
func (s *Server) Signal(sig syscall.Signal) {
	_ = syscall.Kill(-s.PID(), sig) // it may have ended already
}

// Stop ends the process group.
func (s *Server) Stop() {
	s.Signal(syscall.SIGCONT)
	s.Signal(syscall.SIGTERM)
	select {
	case <-s.Ended:
	case <-time.After(Patience / 3):
	}
	s.Signal(syscall.SIGKILL)
	<-s.Ended
}

// Ports are taken from below the range that outgoing connections draw from.
var ports struct {
	sync.Mutex
	last int
}

// FreePort returns a TCP port of the loopback interface on which nothing listens.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.last == 0 {
		ports.last = 20000 + rand.IntN(8000)
	}
	for range 1000 {
		ports.last++
		if listener, err := net.Listen("tcp", Address(ports.last)); err == nil {
			return ports.last, listener.Close()
		}
	}
	return 0, errors.New("no free port")
}

// Address returns the address of a port of the loopback interface.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
