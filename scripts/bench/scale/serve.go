//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// idleFor is how long a serve is watched that has nothing to do: a run of it takes a minute.
const idleFor = 2 * time.Minute

// serve: notices serve is started beside deferred messages, is handed one, and has nothing to do then.
// Seconds are those to the 250, CPU what it takes in idleFor after that.
func (b *bench) serve() error {
	for _, n := range b.upTo(1_000, 100_000) {
		server, err := newSink()
		if err != nil {
			return err
		}
		err = b.site(filling{messages: n, recipients: 1, size: 4000, tried: true, next: time.Now().Add(time.Hour)}, func(s *site) error {
			return s.serve(n, server)
		}, portOf(server))
		server.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *site) serve(n int, server *sink) error {
	port, err := s.hosts()
	if err != nil {
		return err
	}
	key, err := exec.Command(s.binary, "--config", s.config, "service-key", "add", "library", "--name", "Library", "--address", "library@example.org").Output()
	words := strings.Fields(string(key))
	if err != nil || len(words) == 0 {
		return fmt.Errorf("service-key: %w", err)
	}
	began := time.Now()
	cmd := exec.Command(s.binary, "--config", s.config, "serve")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill() }()
	if err := handIn(port, words[len(words)-1]); err != nil {
		return fmt.Errorf("%w: %s", err, firstLine(said.String()))
	}
	took := time.Since(began)
	for server.taken.Load() == 0 && time.Since(began) < s.limit {
		time.Sleep(time.Millisecond)
	}
	sent := time.Since(began)
	before, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	time.Sleep(idleFor)
	after, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	kib := 0
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(text, &kib)
	fmt.Fprintf(s.out, "serve\t%d\t%.2f\t%.2f\t%d\t-\tsent on after %.2f s; %.2f s of CPU until then\n", n, took.Seconds(), after-before, kib>>10, sent.Seconds(), before)
	return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
}

// hosts makes the site a service with a certificate of its own, and returns its port.
func (s *site) hosts() (port int, err error) {
	if port, err = closedPort(); err != nil {
		return 0, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return 0, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return 0, err
	}
	config, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(config, "[serve]\naddress = \"noreply@example.org\"\nlisten_tls = [\"127.0.0.1:%d\"]\nlisten_starttls = []\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n", port)
	return port, errors.Join(err, config.Close(),
		os.WriteFile(filepath.Join(s.dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(filepath.Join(s.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

// handIn hands in a message as soon as the service answers.
func handIn(port int, key string) error {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // it is our own
	for began := time.Now(); err != nil && time.Since(began) < time.Minute; time.Sleep(time.Millisecond) {
		conn, err = tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		return err
	}
	defer c.Close()
	for _, step := range []func() error{
		func() error { return c.Auth(smtp.PlainAuth("", "library", key, "127.0.0.1")) },
		func() error { return c.Mail("library@example.org") },
		func() error { return c.Rcpt("patron@example.net") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	return errors.Join(writeMessage(w, 1000), w.Close())
}

// cpuOf is the CPU time that a process has taken, in seconds. The fields are those of proc_pid_stat(5).
func cpuOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var user, system int
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return float64(user+system) / 100, err
}
