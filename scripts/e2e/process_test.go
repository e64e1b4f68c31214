//go:build peers

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"notices/scripts/e2e/servers"
)

const patience = servers.Patience

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !servers.Within(condition) {
		t.Fatalf("waited %v for %s", patience, what)
	}
}

// startServer starts a server that ends with the test.
func startServer(t *testing.T, output, name string, args ...string) *servers.Server {
	t.Helper()
	s, err := servers.Start(exec.Command(name, args...), output)
	check(t, err)
	t.Cleanup(s.Stop)
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := servers.FreePort()
	check(t, err)
	return port
}

func address(port int) string { return servers.Address(port) }

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
