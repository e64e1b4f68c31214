//go:build peers

package google

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	goruntime "runtime"
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
	if !within(condition) {
		t.Fatalf("waited %v for %s", patience, what)
	}
}

func within(condition func() bool) bool {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

var ends []func()

func atEnd(f func()) { ends = append(ends, f) }

// stopAll ends what was started, the last first.
func stopAll() {
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i]()
	}
}

// starter starts all processes from one thread that lives as long as the tests do,
// since Pdeathsig goes by the thread: a test binary that dies leaves no server.
var starter = sync.OnceValue(func() chan<- func() {
	tasks := make(chan func())
	go func() {
		goruntime.LockOSThread()
		for f := range tasks {
			f()
		}
	}()
	return tasks
})

// start runs a server in a process group of its own, which stopAll ends.
func start(cmd *exec.Cmd, output string) error {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	starter() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // how it ended is of no interest
		close(ended)
	}()
	atEnd(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience / 3):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	return nil
}

// freePort is taken from below the range that outgoing connections draw from.
func freePort() int {
	for range 1000 {
		port := 20000 + rand.IntN(8000)
		if listener, err := net.Listen("tcp", address(port)); err == nil {
			listener.Close()
			return port
		}
	}
	panic("no free port")
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
