package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"notices/spool/printable"
	"notices/spool/smtptest"
)

// host is a hosted service, and its first site. NOTICES_CONFIG is the service's; the site has its
// own, site.toml.
type host struct {
	*demo
	world *mailServer // where the service sends
	port  int
	key   string // the site's
}

// perMinute is the service's limit of messages for each site: less than it sends in this demo.
const perMinute = 12

func (h *host) setUp() error {
	ca := smtptest.NewCA(h)
	h.world = startMailServer(h.demo, ca)
	smtptest.Files(h, ca.TLS(h), h.dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	service := fmt.Sprintf(`[site]
name = "Library Mail Service"
address = "office@service.example"
hostname = "submit.service.example"
[[server]]
host = %q
port = %d
ca_file = "ca.pem"
login = %q
password_file = "password"
[serve]
address = "noreply@service.example"
listen_tls = ["127.0.0.1:%d"]
listen_starttls = []
cert_file = "cert.pem"
key_file = "key.pem"
messages_per_minute = %d
[spool]
dir = "service-spool"
[log]
to = %q
`, h.world.Host(), h.world.Port(), login, h.port, perMinute, h.path("service.log"))
	site := fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@springfield.example"
hostname = "desk.springfield.example"
[delivery]
via = "service"
[service]
host = "127.0.0.1"
port = %d
tls = "implicit"
ca_file = "ca.pem"
site = "springfield"
key_file = "site.key"
[spool]
dir = "site-spool"
[log]
to = %q
`, h.port, h.path("site.log"))
	for name, text := range map[string]string{
		"ca.pem": string(ca.PEM()), "password": password + "\n", "notices.toml": service, "site.toml": site, "site.key": "none yet\n",
	} {
		if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return h.serve()
}

// serve starts notices serve, and waits until it serves.
func (h *host) serve() error {
	narrate("A hosting company runs notices serve. It takes mail in on a port with TLS, and sends it from an address of its own.")
	fmt.Println("$ notices serve &")
	said := &lines{waits: "serving on", found: make(chan struct{})}
	cmd := exec.Command(h.binary, "serve")
	cmd.Env, cmd.Dir, cmd.Stderr = h.environment(), h.dir, said
	if err := cmd.Start(); err != nil {
		return err
	}
	var ended error
	over := make(chan struct{})
	go func() {
		ended = cmd.Wait()
		close(over)
	}()
	h.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-over
	})
	select {
	case <-said.found:
		fmt.Print(said.text)
		return nil
	case <-over:
		return fmt.Errorf("notices serve ended: %w\n%s", ended, said.text)
	}
}

// lines keeps what is written up to some words.
type lines struct {
	text, waits string
	found       chan struct{}
	over        bool
}

// Write is called by one goroutine.
func (l *lines) Write(p []byte) (int, error) {
	if !l.over {
		l.text += string(p)
		if strings.Contains(l.text, l.waits) {
			l.over = true
			close(l.found)
		}
	}
	return len(p), nil
}

// atSite runs the program at the site.
func (h *host) atSite(stdin string, args ...string) error {
	return h.notices(stdin, append(args, "--config", "site.toml")...)
}

// takeKey runs a command of the service that prints a key, and keeps that.
func (h *host) takeKey(args ...string) error {
	cmd := exec.Command(h.binary, args...)
	cmd.Env, cmd.Dir = h.environment(), h.dir
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return errors.New("no key was printed")
	}
	h.key = words[len(words)-1]
	shown := slices.Clone(args)
	for i, arg := range shown {
		shown[i] = printable.ShellQuote(arg)
	}
	fmt.Printf("$ notices %s\n%s", strings.Join(shown, " "), out)
	return nil
}

// install puts the key where the site reads it.
func (h *host) install() error {
	return os.WriteFile(h.path("site.key"), []byte(h.key+"\n"), 0o600)
}

func (h *host) signUp() error {
	narrate("A library signs up. The key is shown this once; it goes into a file at the library, beside five lines of configuration.")
	if err := h.takeKey("service-key", "add", "springfield", "--name", "Springfield Public Library", "--address", "library@springfield.example"); err != nil {
		return err
	}
	return h.install()
}

func (h *host) test() error {
	narrate("The library tests it, and learns which address its patrons should know.")
	return h.atSite("", "test-server", "service")
}

func (h *host) send() error {
	narrate("It sends its notices. The service passes each on as soon as it is durable, in the library's name; replies go to the library.")
	for _, sample := range h.samples[len(h.samples)/2:][:2] {
		if err := h.atSite(sample, "enqueue"); err != nil {
			return err
		}
	}
	if err := h.atSite("", "flush", "-v"); err != nil {
		return err
	}
	if err := h.arrived(3); err != nil {
		return err
	}
	for _, m := range h.world.Messages()[1:3] {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			return err
		}
		fmt.Printf("  envelope sender %s\n  From: %s\n  Reply-To: %s\n", m.Sender, parsed.Header.Get("From"), short(parsed.Header.Get("Reply-To")))
	}
	return nil
}

// arrived waits until the world has got so many messages. It has to look again and again: another
// process sends them.
func (h *host) arrived(n int) error {
	for deadline := time.Now().Add(20 * time.Second); len(h.world.Messages()) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d messages arrived, and not %d", len(h.world.Messages()), n)
		}
	}
	return nil
}

func (h *host) returned() error {
	narrate("A mailbox does not exist any more. The service returns the notice to the library's address:")
	h.world.refuseRecipient("moved@example.net", "550 5.1.1 no such mailbox here")
	if err := os.WriteFile(h.path("friday.eml"), []byte("From: library@springfield.example\nSubject: We close early on Friday\n\nAt three, that is.\n"), 0o600); err != nil {
		return err
	}
	if err := h.atSite(h.path("friday.eml"), "enqueue", "--ref", "patron-20041", "moved@example.net"); err != nil {
		return err
	}
	if err := h.atSite("", "flush"); err != nil {
		return err
	}
	if err := h.arrived(4); err != nil {
		return err
	}
	return h.world.showReturn()
}

func (h *host) rotated() error {
	narrate("The library gets a new key. Until it is in place the old one works, for a week.")
	if err := h.takeKey("service-key", "rotate", "springfield"); err != nil {
		return err
	}
	if err := h.atSite(h.path("friday.eml"), "enqueue", "ann@example.net"); err != nil {
		return err
	}
	if err := h.atSite("", "flush", "-v"); err != nil {
		return err
	}
	if err := h.install(); err != nil {
		return err
	}
	narrate("And with the new one:")
	if err := h.atSite(h.path("friday.eml"), "enqueue", "bob@example.net"); err != nil {
		return err
	}
	return h.atSite("", "flush", "-v")
}

func (h *host) limited() error {
	narrate(fmt.Sprintf("A mistake queues twenty notices at once. The service takes %d a minute from a site; the rest waits at the library, and is tried again later.", perMinute))
	for i := range 20 {
		args := []string{"--config", "site.toml", "enqueue", fmt.Sprintf("patron%d@example.net", i)}
		cmd := exec.Command(h.binary, args...)
		cmd.Env, cmd.Dir, cmd.Stdin = h.environment(), h.dir, strings.NewReader("From: library@springfield.example\nSubject: Overdue\n\nYour book is due.\n")
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	if err := h.atSite("", "flush", "--json"); err != nil {
		return err
	}
	narrate("One message met the limit, and is deferred. The others were put off without an attempt: the next runs send them.")
	narrate("What the service knows of the library's day (it is written every few seconds):")
	// Until serve has written it; without it, the output below says 0.
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		cmd := exec.Command(h.binary, "service-key", "list", "--json")
		cmd.Env, cmd.Dir = h.environment(), h.dir
		if out, err := cmd.Output(); err != nil || !bytes.Contains(out, []byte(`"messages_today":0`)) {
			break
		}
	}
	return h.notices("", "status")
}

func (h *host) revoked() error {
	narrate("The library leaves. Its key ends at once, and its mail waits until somebody repairs that.")
	if err := h.notices("", "service-key", "revoke", "springfield"); err != nil {
		return err
	}
	if err := h.atSite("", "test-server", "service"); err == nil {
		return errors.New("a revoked key works")
	}
	return h.notices("", "service-key", "list")
}
