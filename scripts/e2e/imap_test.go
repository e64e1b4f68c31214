//go:build peers

package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"notices/scripts/e2e/servers"
)

// imapServer is Debian's IMAP server with one Maildir, a password and a token that both open it.
type imapServer struct {
	imap, imaps int // ports
	mail        string
}

const (
	mailboxToken = "token-that-the-provider-knows"
	imapConf     = `protocols = imap
base_dir = {dir}/dovecot
state_dir = {dir}/dovecot-state
log_path = {dir}/dovecot.log
auth_verbose = yes
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
auth_mechanisms = plain xoauth2
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = {dir}/oauth2.conf
}
passdb {
  driver = static
  mechanisms = plain
  args = password={password}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home={dir}/home
}
mail_location = maildir:{dir}/mail
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = {imap}
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`
	introspectionConf = `introspection_mode = post
introspection_url = {provider}
username_attribute = sub
active_attribute = active
active_value = true
timeout_msecs = 5000
`
)

func startIMAP(t *testing.T) *imapServer {
	t.Helper()
	dir := folder(t)
	d := &imapServer{imap: freePort(t), imaps: freePort(t), mail: filepath.Join(dir, "mail")}
	// The provider that says which tokens are good (RFC 7662).
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		good := r.FormValue("token") == mailboxToken
		_ = json.NewEncoder(w).Encode(map[string]any{"active": good, "sub": login})
	}))
	t.Cleanup(provider.Close)
	fill := strings.NewReplacer("{dir}", dir, "{cert}", certs.cert, "{key}", certs.key, "{password}", password, "{provider}", provider.URL,
		"{imap}", strconv.Itoa(d.imap), "{imaps}", strconv.Itoa(d.imaps))
	write(t, filepath.Join(dir, "dovecot.conf"), fill.Replace(imapConf))
	write(t, filepath.Join(dir, "oauth2.conf"), fill.Replace(introspectionConf))
	for _, name := range []string{"home", "mail", "mail/new", "mail/cur", "mail/tmp"} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		check(t, os.Chown(filepath.Join(dir, name), nobody, nogroup))
	}
	s := startServer(t, filepath.Join(dir, "dovecot.out"), "/usr/sbin/dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	if !servers.Within(func() bool { return connects(d.imap) && connects(d.imaps) }) {
		t.Fatalf("Dovecot does not start:\n%s%s", tail(s.Output), tail(filepath.Join(dir, "dovecot.log")))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Dovecot's log:\n%s", tail(filepath.Join(dir, "dovecot.log")))
		}
	})
	return d
}

// Debian's user nobody.
const nobody, nogroup = 65534, 65534

func connects(port int) bool {
	c, err := net.Dial("tcp", address(port))
	if err == nil {
		c.Close()
	}
	return err == nil
}

// deliver puts a message into the INBOX.
func (d *imapServer) deliver(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(d.mail, "new", name)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	check(t, os.Chown(path, nobody, nogroup))
}

// count is how many messages with that text are in a folder ("" is the INBOX), and how many of
// these are flagged as seen.
func (d *imapServer) count(t *testing.T, folder, text string) (all, seen int) {
	t.Helper()
	for _, dir := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(d.mail, folder, dir))
		check(t, err)
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(d.mail, folder, dir, e.Name()))
			check(t, err)
			if !strings.Contains(string(b), text) {
				continue
			}
			all++
			if _, flags, _ := strings.Cut(e.Name(), ":2,"); strings.Contains(flags, "S") {
				seen++
			}
		}
	}
	return all, seen
}
