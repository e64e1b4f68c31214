package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Standby starts a server that replicates this one. It can be read, and not written.
func (s *Server) Standby() (*Server, error) {
	dir, err := newDir(filepath.Dir(s.Dir))
	if err != nil {
		return nil, err
	}
	b := &Server{Dir: dir}
	if b.Port, err = freePort(); err == nil {
		err = b.run("pg_basebackup", "-h", "127.0.0.1", "-p", fmt.Sprint(s.Port), "-U", "postgres", "-D", b.data(), "-R", "-c", "fast", "--no-sync")
	}
	if err == nil {
		err = b.Configure(b.place())
	}
	if err = errors.Join(err, b.Again()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return b, nil
}

// Promote ends the replication: the standby can be written.
func (s *Server) Promote() error { return s.run("pg_ctl", "-D", s.data(), "-w", "promote") }

// Configure adds settings. The last value of a setting counts. They take effect with Restart.
func (s *Server) Configure(settings string) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(settings)
	return errors.Join(err, f.Close())
}

// Admit puts a line before those of pg_hba.conf.
func (s *Server) Admit(line string) error {
	path := filepath.Join(s.data(), "pg_hba.conf")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append([]byte(line+"\n"), before...), 0o600); err != nil {
		return err
	}
	return s.Restart()
}

// Restart shuts the server down and starts it again, with its configuration as it is now.
func (s *Server) Restart() error {
	return errors.Join(s.run("pg_ctl", "-D", s.data(), "-m", "fast", "-w", "stop"), s.Again())
}

// UseTLS sets the certificate and the key of the server, in PEM.
func (s *Server) UseTLS(cert, key []byte) error {
	err := s.Configure("ssl = on\n")
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": key} {
		path := filepath.Join(s.data(), name)
		err = errors.Join(err, os.WriteFile(path, text, 0o600), s.Own(path))
	}
	return errors.Join(err, s.Restart())
}

// Own gives a file or folder to the user that the server runs as.
func (s *Server) Own(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := owner()
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}
