package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Pooler is a PgBouncer in transaction mode before a server.
type Pooler struct {
	cmd  *exec.Cmd
	port int
}

// StartPooler starts one with so many connections to the server. It needs Debian's package
// pgbouncer.
func (s *Server) StartPooler(connections int) (*Pooler, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ini := filepath.Join(s.Dir, "pgbouncer.ini")
	users := filepath.Join(s.Dir, "users.txt")
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = %d
`, s.Port, port, users, connections)
	for name, content := range map[string]string{ini: text, users: "\"postgres\" \"\"\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(s.Dir, "pgbouncer.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Pooler{cmd: exec.Command("/usr/sbin/pgbouncer", ini), port: port}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if os.Geteuid() == 0 {
		uid, gid, err := owner()
		if err != nil {
			return nil, err
		}
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.wait()
}

// wait returns when it listens. It has to try again and again: pgbouncer does not report that.
func (p *Pooler) wait() (err error) {
	for range 200 {
		var c net.Conn
		if c, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port)); err == nil {
			return c.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("pgbouncer does not start: %w", err)
}

// URL is the address of a database through it.
func (p *Pooler) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", p.port, database)
}

// Stop ends it.
func (p *Pooler) Stop() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = p.cmd.Wait() // killed
	return nil
}
