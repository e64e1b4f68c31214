// Command demosite shows a library's day with the real binary and two mail servers of its
// own, and explains each step. `make demo` runs it. With a third argument, "service", it shows a
// hosted service and its first site; `make demo-service` runs that.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"notices/spool/smtptest"
)

func main() {
	hosted := len(os.Args) == 4 && os.Args[3] == "service"
	if len(os.Args) != 3 && !hosted {
		fmt.Fprintln(os.Stderr, "usage: demosite BINARY FOLDER-OF-NOTICES [service]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], hosted); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(binary, notices string, hosted bool) error {
	dir, err := os.MkdirTemp("", "notices-demo-")
	if err != nil {
		return err
	}
	d := &demo{dir: dir}
	d.Cleanup(func() { os.RemoveAll(dir) })
	defer d.close()
	if d.binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if d.samples, err = filepath.Glob(filepath.Join(notices, "*.eml")); err != nil {
		return err
	}
	if len(d.samples) == 0 {
		return fmt.Errorf("no sample notices in %s", notices)
	}
	setUp, scenes := d.setUp, []func() error{d.testServers, d.queue, d.failover, d.refused, d.bothDown, d.recovered, d.history}
	if hosted {
		h := &host{demo: d}
		setUp, scenes = h.setUp, []func() error{h.signUp, h.test, h.send, h.returned, h.rotated, h.limited, h.revoked}
	}
	if err := setUp(); err != nil {
		return err
	}
	for _, scene := range scenes {
		if err := scene(); err != nil {
			return err
		}
	}
	return nil
}

// demo is the library: its folder, its two mail servers and the notices that it sends.
type demo struct {
	dir, binary string
	samples     []string
	server      [2]*mailServer
	cleanups    []func()
}

// The demo stands in for a test, which the mail servers of smtptest expect.
var _ smtptest.TB = (*demo)(nil)

// Helper does nothing.
func (d *demo) Helper() {}

// Cleanup keeps a function for the end.
func (d *demo) Cleanup(f func()) { d.cleanups = append(d.cleanups, f) }

func (d *demo) close() {
	for _, f := range slices.Backward(d.cleanups) {
		f()
	}
}

// Logf prints nothing: the servers' log is not part of the demo.
func (d *demo) Logf(string, ...any) {}

// Errorf reports an error of a mail server.
func (d *demo) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "demo: "+format+"\n", args...)
}

// Fatalf reports an error that ends the demo.
func (d *demo) Fatalf(format string, args ...any) {
	d.Errorf(format, args...)
	d.close()
	os.Exit(1)
}

// narrate prints what comes next.
func narrate(text string) {
	fmt.Println("\n#", text)
}

// notices runs the program as a person would type it and shows what it prints.
func (d *demo) notices(stdin string, args ...string) error {
	shown := "notices " + strings.Join(args, " ")
	cmd := exec.Command(d.binary, args...)
	cmd.Dir = d.dir
	if stdin != "" {
		shown += " < " + filepath.Base(stdin)
		file, err := os.Open(stdin)
		if err != nil {
			return err
		}
		defer file.Close()
		cmd.Stdin = file
	}
	fmt.Println("$ " + shown)
	cmd.Env = d.environment()
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		fmt.Println(short(strings.TrimSuffix(line, "\n")))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	return nil
}

// environment is that of the program: it must not find anything that is installed on this machine.
func (d *demo) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "NOTICES_CONFIG=" + d.path("notices.toml"), "NOTICES_ALIASES=" + d.path("aliases")}
}

// short cuts a line that names a hundred recipients.
func short(line string) string {
	const columns = 150
	if runes := []rune(line); len(runes) > columns {
		return string(runes[:columns]) + "…"
	}
	return line
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) testServers() error {
	narrate("A library with two mail servers, both behind TLS and a password, tests the first one.")
	return d.notices("", "test-server", "1")
}

func (d *demo) queue() error {
	narrate("Its catalogue queues the day's notices. Each is on disk, synced, before the id is printed.")
	for _, sample := range d.samples {
		if err := d.notices(sample, "enqueue"); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) failover() error {
	narrate("Server 1 closes for maintenance. cron runs flush: Server 2 takes over at once.")
	d.server[0].refuse("421 4.3.2 closed for maintenance")
	if err := d.notices("", "flush", "-v"); err != nil {
		return err
	}
	narrate("What Server 2 has got:")
	d.server[1].show()
	return d.notices("", "status")
}

func (d *demo) refused() error {
	narrate("A notice to three patrons. One mailbox has been closed: only that copy is returned.")
	d.server[1].refuseRecipient("moved@example.net", "550 5.1.1 no such mailbox here")
	text := "From: Springfield Public Library <library@example.org>\n" +
		"Subject: We close early on Friday\n\nAt three, that is.\n"
	if err := os.WriteFile(d.path("friday.eml"), []byte(text), 0o600); err != nil {
		return err
	}
	err := d.notices(d.path("friday.eml"), "enqueue", "--ref", "patron-20041",
		"ann@example.net", "moved@example.net", "bob@example.net")
	if err != nil {
		return err
	}
	if err := d.notices("", "flush", "--json"); err != nil {
		return err
	}
	narrate("The library finds in its inbox:")
	return d.server[1].showReturn()
}

func (d *demo) bothDown() error {
	narrate("Both servers are down. Nothing is lost: the notice waits, and each draws its own next send.")
	d.server[1].refuse("421 4.3.2 no power")
	if err := d.notices(d.path("friday.eml"), "enqueue", "carol@example.net"); err != nil {
		return err
	}
	if err := d.notices("", "flush"); err != nil {
		return err
	}
	return d.notices("", "list")
}

func (d *demo) recovered() error {
	narrate("Server 1 is back. Nobody waits for the next send: --all sends what is queued now.")
	d.server[0].refuse("")
	if err := d.notices("", "flush", "--all", "-v"); err != nil {
		return err
	}
	if err := d.notices("", "list"); err != nil {
		return err
	}
	narrate("The queue is empty. Everything is where it belongs.")
	return nil
}

func (d *demo) history() error {
	narrate("Weeks later, patron 20041 asks for that notice. What became of it is known for 90 days:")
	if err := d.notices("", "history", "--ref", "patron-20041"); err != nil {
		return err
	}
	narrate("Once a week, cron mails this report:")
	return d.notices("", "report")
}
