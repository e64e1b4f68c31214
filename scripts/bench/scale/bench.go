//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bench has what all rows need.
type bench struct {
	binary, self string
	base         string // a folder of its own
	max          int
	limit        time.Duration
	out          io.Writer
	sites        int
}

// upTo leaves out the rows that are too large.
func (b *bench) upTo(sizes ...int) (these []int) {
	for _, n := range sizes {
		if n <= b.max {
			these = append(these, n)
		}
	}
	return these
}

func (b *bench) head() {
	fmt.Fprintln(b.out, "row\tmessages\tseconds\tCPU s\tMiB\tCPU us a message\tremark")
}

// site is a spool and its configuration.
type site struct {
	*bench
	dir, config string
	stdin       string // a file; "": none
}

// site makes a spool, calls work with it, and removes it. Server 1 and so on are on these
// ports of this machine.
func (b *bench) site(f filling, work func(*site) error, ports ...int) error {
	dir := filepath.Join(b.base, fmt.Sprint(b.sites+1), "spool")
	if err := b.fill(dir, f); err != nil {
		return err
	}
	return b.newSite(fmt.Sprintf("dir = %q", dir), ports, work)
}

// newSite makes a configuration with a line of [spool], calls work with it, and removes all.
func (b *bench) newSite(place string, ports []int, work func(*site) error) error {
	b.sites++
	s := &site{bench: b, dir: filepath.Join(b.base, fmt.Sprint(b.sites))}
	s.config = filepath.Join(s.dir, "notices.toml")
	defer os.RemoveAll(s.dir)
	var toml strings.Builder
	fmt.Fprintf(&toml, "[site]\naddress = \"library@example.org\"\nhostname = \"mail.example.org\"\n[spool]\n%s\n", place)
	for _, port := range ports {
		fmt.Fprintf(&toml, "[[server]]\nhost = \"127.0.0.1\"\nport = %d\nallow_non_secure = true\nconnections = 20\nmessages_per_connection = 1000\nrecipients_per_message = 1000\ntimeout = \"2s\"\n", port)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.config, []byte(toml.String()), 0o600); err != nil {
		return err
	}
	return work(s)
}

// fill fills a spool, in a process of its own.
func (b *bench) fill(dir string, f filling) error {
	if f.messages == 0 {
		return nil
	}
	args := []string{"fill", "-n", fmt.Sprint(f.messages), "-recipients", fmt.Sprint(f.recipients), "-size", fmt.Sprint(f.size),
		"-in", time.Until(f.next).String(), fmt.Sprintf("-tried=%t", f.tried), fmt.Sprintf("-hollow=%t", f.hollow), dir}
	cmd := exec.Command(b.self, args...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// flush runs the program and returns when the server had the first message.
func (s *site) flush(name string, n int, server *sink) error {
	began := time.Now()
	_, err := s.run(name, n, func() string {
		remark := fmt.Sprintf("%d taken", server.taken.Load())
		if server.taken.Load() > 0 {
			remark += fmt.Sprintf(", the first after %.2f s", server.first.Sub(began).Seconds())
		}
		return remark
	}, s.binary, "--config", s.config, "flush")
	return err
}

func (s *site) notices(name string, n int, args ...string) (*usage, error) {
	return s.run(name, n, nil, s.binary, append([]string{"--config", s.config}, args...)...)
}

// names measures reading the names of the folder.
func (s *site) names(name string, n int) error {
	_, err := s.run(name, n, nil, s.self, "names", filepath.Join(s.dir, "spool", "cur"))
	return err
}

// run measures one process and prints its line.
func (s *site) run(name string, n int, remark func() string, command string, args ...string) (*usage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	var said, report strings.Builder
	cmd := exec.CommandContext(ctx, s.self, append([]string{"measure", command}, args...)...)
	// The limit ends the program too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stderr = &said
	cmd.Stdout = &report
	if s.stdin != "" {
		f, err := os.Open(s.stdin)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %v: %w: %s", command, args[:min(3, len(args))], err, firstLine(said.String()))
	}
	var u usage
	if err := json.Unmarshal([]byte(report.String()), &u); err != nil {
		return nil, err
	}
	note := ""
	if remark != nil {
		note = remark()
	}
	if u.Exit != 0 {
		note += fmt.Sprintf(" (exit status %d: %s)", u.Exit, firstLine(said.String()))
	}
	fmt.Fprintf(s.out, "%s\t%d\t%.2f\t%.2f\t%.0f\t%.1f\t%s\n", name, n, u.Seconds, u.CPU, u.MiB, u.CPU*1e6/float64(max(n, 1)), note)
	return &u, nil
}

// usage is the time and memory that a process took.
type usage struct {
	Seconds, CPU float64
	MiB          float64 // largest resident set
	Exit         int
}

// measure runs a program and prints its usage. It is a process of its own because the
// kernel counts the memory of the calling process for the program that it starts
// (getrusage(2)), and this one is small.
func measure(command string, args ...string) error {
	cmd := exec.Command(command, args...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	p := cmd.ProcessState
	if p == nil {
		return err
	}
	use := p.SysUsage().(*syscall.Rusage)
	return json.NewEncoder(os.Stdout).Encode(usage{
		Seconds: took.Seconds(), CPU: (p.UserTime() + p.SystemTime()).Seconds(), MiB: float64(use.Maxrss) / 1024, Exit: p.ExitCode(),
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
