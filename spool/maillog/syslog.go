package maillog

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// syslogSockets are where a local syslog listens. Package log/syslog has the same, but links
// all of net, which the small program would have to load for each message.
func syslogSockets() []string { return []string{"/dev/log", "/var/run/syslog", "/var/run/log"} }

// Priorities (RFC 3164 section 4.1.1): facility mail, severity warning or informational.
const (
	mailWarning = 2<<3 | 4
	mailInfo    = 2<<3 | 6
)

// syslogger writes to a local syslog.
type syslogger struct {
	sockets []string
	now     func() time.Time
	fd      int   // -1: not connected
	found   bool  // it was connected once
	failed  error // of the first connect
}

// output connects at the first event. If that fails, it is not tried again. A syslog that
// was there is looked for again.
func (s *syslogger) output() output {
	s.fd = -1
	return output{level: All, write: s.write, close: func() error {
		s.disconnect()
		return nil
	}}
}

func (s *syslogger) write(level Level, line []byte) error {
	priority := mailInfo
	if level == Warnings {
		priority = mailWarning
	}
	text := fmt.Appendf(nil, "<%d>%s notices[%d]: %s", priority, s.now().Format(time.Stamp), os.Getpid(), line)
	if s.fd >= 0 && s.send(text) == nil {
		return nil
	}
	s.disconnect() // a syslog that was restarted has a new socket
	if s.failed != nil {
		return s.failed
	}
	if err := s.connect(); err != nil {
		if !s.found {
			s.failed = err
		}
		return err
	}
	s.found = true
	return s.send(text)
}

func (s *syslogger) send(text []byte) error {
	for {
		if _, err := syscall.Write(s.fd, text); err != syscall.EINTR {
			return err
		}
	}
}

func (s *syslogger) connect() (err error) {
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_STREAM} {
		for _, path := range s.sockets {
			if s.fd, err = connectUnix(kind, path); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("connecting to syslog: %w", err)
}

// connectUnix returns -1 with an error.
func connectUnix(kind int, path string) (fd int, err error) {
	syscall.ForkLock.RLock() // no program that is started meanwhile gets it
	if fd, err = syscall.Socket(syscall.AF_UNIX, kind, 0); err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	if err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (s *syslogger) disconnect() {
	if s.fd >= 0 {
		syscall.Close(s.fd)
		s.fd = -1
	}
}
