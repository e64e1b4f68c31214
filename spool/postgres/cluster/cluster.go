// Package cluster starts PostgreSQL servers for tests: private ones, in a folder of their own,
// on a loopback port and a socket there. No server of the machine is touched. It needs Debian's
// package postgresql, or initdb and pg_ctl in PATH.
package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Server is a running server. Its user postgres needs no password.
type Server struct {
	Dir  string // data, socket and log; removed by Stop
	Port int    // on 127.0.0.1
	made atomic.Int64
	runs bool
}

// Start makes a server in a new folder below dir, "" being that of temporary files. It trades
// its safety against a crash of the machine for speed; one of the server loses nothing more.
func Start(dir string) (*Server, error) {
	dir, err := newDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir}
	if s.Port, err = freePort(); err == nil {
		err = s.init()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// Run starts a server for the tests of a package, runs them, and stops it. It returns their exit code.
func Run(server **Server, tests func() int) (code int) {
	var err error
	if *server, err = Start(""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = tests()
	if err := (*server).Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// newDir makes a folder that belongs to the user that the server runs as.
func newDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "postgres")
	if err != nil {
		return "", err
	}
	if err := (&Server{}).Own(dir); err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	return dir, nil
}

func (s *Server) init() error {
	if err := s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return err
	}
	if err := s.Configure(s.place() + `
listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = 128MB
max_connections = 200
`); err != nil {
		return err
	}
	return s.Again()
}

// place is where it listens, as settings.
func (s *Server) place() string {
	return fmt.Sprintf("\nport = %d\nunix_socket_directories = '%s'\n", s.Port, s.Dir)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// owner is the user that the server runs as: it refuses root.
func owner() (uid, gid int, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("root needs a user postgres to run the server as: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(err, gidErr)
}

// run runs a program of PostgreSQL as its own user.
func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(program(name), args...)
	cmd.Dir = s.Dir
	if os.Geteuid() == 0 {
		uid, gid, err := owner()
		if err != nil {
			return err
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	// A file, because the server would keep a pipe open.
	out, err := os.Create(filepath.Join(s.Dir, name+".out"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", name, err, said)
	}
	return nil
}

// program finds a program of PostgreSQL: of the newest version that Debian has installed, or
// in PATH.
func program(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	return name
}

// Again starts a server that Halt has stopped.
func (s *Server) Again() error {
	err := s.run("pg_ctl", "-D", s.data(), "-l", filepath.Join(s.Dir, "log"), "-w", "-t", "30", "start")
	s.runs = err == nil
	return err
}

// Halt stops the server as if it had crashed.
func (s *Server) Halt() error {
	s.runs = false
	return s.run("pg_ctl", "-D", s.data(), "-m", "immediate", "stop")
}

// Stop stops the server, if it runs, and removes all of it.
func (s *Server) Stop() (err error) {
	if s.runs {
		err = s.Halt()
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// URL is the address of a database.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", s.Port, database)
}

// NewDatabase makes an empty database, and returns its name.
func (s *Server) NewDatabase() (string, error) { return s.NewDatabaseAs("template1") }

// NewDatabaseAs makes a copy of a database to which nobody is connected.
func (s *Server) NewDatabaseAs(template string) (string, error) {
	name := fmt.Sprintf("spool%d", s.made.Add(1))
	_, err := s.SQL("postgres", "create database "+name+" template "+template)
	return name, err
}

// SQL runs statements by psql, and returns what they print: a line a row, columns with | between.
func (s *Server) SQL(database, statements string) (string, error) {
	out, err := exec.Command(program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", s.URL(database), "-c", statements).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
