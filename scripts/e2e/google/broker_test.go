//go:build peers

package google

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"notices/scripts/e2e/servers"
)

// hosted is a service: `notices serve` with the provider's clients, for sites that have none.
type hosted struct {
	*site
	port    int // of the broker
	command *exec.Cmd
	server  *servers.Server
}

const hostedConfig = `[site]
name = "The Service"
address = "postmaster@service.example"
hostname = "submit.service.example"

[[server]]
host = "127.0.0.1"
port = {unused}

[spool]
dir = "{dir}/spool"

[log]
to = "{dir}/log"

[serve]
listen_tls = ["127.0.0.1:{submit}"]
listen_starttls = []
listen_https = ["127.0.0.1:{broker}"]
cert_file = "{work}/cert.pem"
key_file = "{dir}/key.pem"
address = "noreply@service.example"
deliver = false

[google]
client_id = "{desktop}"
client_secret_file = "{dir}/secret"
{endpoints}
ca_file = "{work}/ca.pem"

[microsoft]
client_id = "{public}"
{endpoints}
ca_file = "{work}/ca.pem"
`

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{site: &site{t: t, dir: t.TempDir()}}
	ports := make([]int, 3)
	for i := range ports {
		port, err := servers.FreePort()
		check(t, err)
		ports[i] = port
	}
	h.port = ports[0]
	text := strings.NewReplacer("{dir}", h.dir, "{work}", work, "{desktop}", desktopApp, "{public}", publicApp, "{endpoints}", endpoints(),
		"{broker}", fmt.Sprint(ports[0]), "{submit}", fmt.Sprint(ports[1]), "{unused}", fmt.Sprint(ports[2])).Replace(hostedConfig)
	for name, content := range map[string]string{"notices.toml": text, "secret": desktopSecret + "\n", "key.pem": read(file("key.pem"))} {
		check(t, os.WriteFile(h.path(name), []byte(content), 0o600))
	}
	h.start()
	t.Cleanup(h.stop)
	return h
}

func (h *hosted) start() {
	h.t.Helper()
	var err error
	h.command = h.site.command(context.Background(), "serve")
	h.server, err = servers.Start(h.command, h.path("output"))
	check(h.t, err)
	until(h.t, "notices serve to answer", func() bool {
		select {
		case <-h.server.Ended:
			h.t.Fatalf("notices serve ended:\n%s", h.output())
		default:
		}
		answer, err := web().Get(h.url() + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// stop ends it as systemd does.
func (h *hosted) stop() {
	h.t.Helper()
	h.server.Stop()
	if code := h.command.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("notices serve: exit %d\n%s", code, h.output())
	}
}

func (h *hosted) output() string { return read(h.path("output")) }

func (h *hosted) url() string { return fmt.Sprintf("https://127.0.0.1:%d", h.port) }

const brokeredConfig = `[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "desk.example.org"

[delivery]
via = "google"

[google]
broker = "{broker}"
smtp_host = "127.0.0.1"
smtp_port = {starttls}
ca_file = "{work}/ca.pem"

[microsoft]
broker = "{broker}"
account = "library@example.org"
smtp_host = "127.0.0.1"
smtp_port = {starttls}
ca_file = "{work}/ca.pem"

[service]
site = "springfield"
key_file = "{dir}/service.key"
ca_file = "{work}/ca.pem"

[spool]
dir = "{dir}/spool"
`

// newBrokered is a site that the service gave a name and a key.
func newBrokered(t *testing.T, h *hosted) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	text := strings.NewReplacer("{dir}", s.dir, "{work}", work, "{broker}", h.url(), "{starttls}", fmt.Sprint(peer.starttls)).Replace(brokeredConfig)
	words := strings.Fields(h.must("", "service-key", "add", "springfield", "--name", "Springfield Public Library", "--address", library))
	check(t, os.WriteFile(s.path("notices.toml"), []byte(text), 0o600))
	check(t, os.WriteFile(s.path("service.key"), []byte(words[len(words)-1]+"\n"), 0o600))
	return s
}

// wantNowhere checks that no file of a folder contains one of the secrets.
func wantNowhere(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	if slices.Contains(secrets, "") {
		t.Error("a secret to look for is empty")
	}
	check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(read(path), secret) {
				t.Errorf("%s contains a secret", path)
			}
		}
		return nil
	}))
}

// TestBroker: a site without a client of its own signs in by its service, in the browser, with
// every box, one left out, and none at all; sends; renews; and signs out. What belongs to the
// service stays there, and the service keeps nothing that is the site's.
func TestBroker(t *testing.T) {
	h := newHosted(t)
	s := newBrokered(t, h)
	d := s.begin(nil, "google-login")
	w := newWindow(t)
	w.logIn(d.address(op.url("/auth")), library)
	w.consent(openid, email, gmail)
	w.lastPage("broker-signed-in", "Signed in with Google", library)
	if r := d.end(); r.code != 0 || !strings.Contains(r.stdout, "Signed in with Google: mail is sent as "+library) {
		t.Fatalf("%v\n%s", r, h.output())
	}
	if out := s.must("", "test-server", "google"); !strings.Contains(out, library+" is logged in") {
		t.Errorf("test-server: %s", out)
	}
	before, refreshes := peer.arrived(), op.count("grant refresh_token")
	first := s.token("access_token")
	s.expire()
	s.enqueue(3)
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":3`) || peer.arrived()-before != 3 {
		t.Errorf("flush: %s, %d arrived", out, peer.arrived()-before)
	}
	if n := op.count("grant refresh_token") - refreshes; n != 1 || s.token("access_token") == first {
		t.Errorf("renewed %d times", n)
	}
	tokens := []string{first, s.token("access_token"), s.token("refresh_token")}
	kept := s.kept("google")

	for name, c := range map[string]struct {
		ticked []string
		says   []string
	}{
		"a box left out": {[]string{openid, email}, []string{"Not every box was ticked", "Read, compose, send, and permanently delete all your email from Gmail"}},
		"cancelled":      {nil, []string{"The sign-in was cancelled"}},
	} {
		d := s.begin(nil, "google-login")
		w := newWindow(t)
		w.logIn(d.address(op.url("/auth")), library)
		if c.ticked == nil {
			w.do(chromedp.Click(chromedp.CSS("#cancel")), chromedp.WaitVisible(chromedp.CSS("main")))
		} else {
			w.consent(c.ticked...)
		}
		says := append(c.says, "Nothing was changed", "notices google-login")
		w.lastPage("broker-"+strings.ReplaceAll(name, " ", "-"), says...)
		r := d.end()
		for _, want := range says {
			if r.code != 69 || !strings.Contains(r.stderr, want) {
				t.Errorf("%s: not %q in %v", name, want, r)
			}
		}
		if s.kept("google") != kept {
			t.Errorf("%s: the earlier sign-in was changed", name)
		}
	}
	wantNowhere(t, s.dir, desktopSecret, desktopApp, op.url("/token"))
	wantNowhere(t, h.dir, tokens...)
	if log := read(h.path("log")); !strings.Contains(log, `brokered site=springfield call="google token" status=200`) {
		t.Errorf("the service's log: %s", log)
	}

	revoked := op.count("revoked")
	if r := s.run("", "google-logout"); r.code != 0 || s.kept("google") != "" || op.count("revoked") == revoked {
		t.Errorf("%v, revoked %d times\n%s", r, op.count("revoked")-revoked, op.log())
	}
}

// TestBrokerAway: mail waits without an attempt, and goes when the service is back. A key that is
// not the site's any more is named, and which file it is in.
func TestBrokerAway(t *testing.T) {
	h := newHosted(t)
	s := newBrokered(t, h)
	s.signIn()
	s.expire()
	s.enqueue(1)
	h.stop()
	r := s.run("", "flush")
	if r.code != 0 || !strings.Contains(r.stderr, "gives no token of Google now") || !strings.Contains(r.stderr, "check broker in [google]") {
		t.Errorf("%v", r)
	}
	if out := s.must("", "list", "--json"); !strings.Contains(out, `"attempts":0`) {
		t.Errorf("%s", out)
	}
	h.start()
	h.must("", "service-key", "rotate", "springfield", "--now")
	s.must("", "flush", "--all") // in the same trouble, which was told
	google, _, _ := s.status()
	if google == nil || google.Error == nil || !strings.Contains(*google.Error, "refuses the key of site springfield; check site and key_file in [service]") {
		t.Errorf("%+v", google)
	}
	words := strings.Fields(h.must("", "service-key", "rotate", "springfield"))
	check(t, os.WriteFile(s.path("service.key"), []byte(words[len(words)-1]), 0o600))
	if out := s.must("", "flush", "--all", "--json"); !strings.Contains(out, `"sent":1`) {
		t.Errorf("flush: %s\n%s", out, h.output())
	}
}

// TestBrokerDevice: a code from the provider, exchanged by the broker.
func TestBrokerDevice(t *testing.T) {
	s := newBrokered(t, newHosted(t))
	s.signInByCode()
}
