//go:build peers

package google

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"notices/scripts/e2e/servers"
	"notices/spool/smtptest"
)

// dovecot is Debian's submission service and its IMAP server: STARTTLS, AUTH by a token
// that the provider says is good and for mail, everything relayed to a sink.
type dovecot struct {
	starttls int // port
	imap     int
	sink     *smtptest.Server
}

const dovecotConf = `protocols = submission imap
base_dir = {dir}/dovecot
state_dir = {dir}/dovecot-state
log_path = {dir}/dovecot.log
auth_verbose = yes
hostname = localhost
ssl = required
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home={dir}/home
}
mail_location = mbox:{dir}/home
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
submission_relay_ssl = no
service submission-login {
  inet_listener submission {
    address = 127.0.0.1
    port = {starttls}
  }
  inet_listener submissions {
    port = 0
  }
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = {imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`

const oauth2Conf = `introspection_mode = post
introspection_url = https://dovecot:dovecot-secret@127.0.0.1:{op}/token/introspection
scope = https://mail.google.com/
username_attribute = sub
active_attribute = active
active_value = true
tls_ca_cert_file = {dir}/ca.pem
timeout_msecs = 5000
`

func startDovecot() (*dovecot, error) {
	sink, err := smtptest.Start(smtptest.Options{})
	if err != nil {
		return nil, err
	}
	atEnd(sink.Close)
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	imap, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	d := &dovecot{starttls: port, imap: imap, sink: sink}
	fill := strings.NewReplacer("{dir}", work, "{sink}", strconv.Itoa(sink.Port()), "{op}", strconv.Itoa(op.port),
		"{starttls}", strconv.Itoa(d.starttls), "{imap}", strconv.Itoa(d.imap))
	for name, text := range map[string]string{"dovecot.conf": dovecotConf, "oauth2.conf": oauth2Conf} {
		if err := os.WriteFile(file(name), []byte(fill.Replace(text)), 0o600); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.Mkdir(file("home"), 0o777), os.Chmod(file("home"), 0o777)); err != nil { // whatever the umask
		return nil, err
	}
	if err := start(exec.Command("/usr/sbin/dovecot", "-F", "-c", file("dovecot.conf")), file("dovecot.out")); err != nil {
		return nil, err
	}
	up := func() bool {
		c, err := net.Dial("tcp", servers.Address(d.starttls))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !servers.Within(up) {
		return nil, fmt.Errorf("Dovecot does not start:\n%s%s", read(file("dovecot.out")), read(file("dovecot.log")))
	}
	return d, nil
}

func read(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

// arrived is how many messages reached the sink.
func (d *dovecot) arrived() int { return len(d.sink.Messages()) }

// xoauth2 speaks to Dovecot without notices.
type xoauth2 struct{ user, token string }

func (x xoauth2) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "XOAUTH2", fmt.Appendf(nil, "user=%s\x01auth=Bearer %s\x01\x01", x.user, x.token), nil
}

func (x xoauth2) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return []byte{}, nil
	}
	return nil, nil
}

func (d *dovecot) login(t *testing.T, user, token string) error {
	t.Helper()
	c, err := smtp.Dial(servers.Address(d.starttls))
	check(t, err)
	defer c.Close()
	check(t, c.StartTLS(&tls.Config{RootCAs: roots(), ServerName: "127.0.0.1"}))
	return c.Auth(xoauth2{user, token})
}

func roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read(file("ca.pem"))))
	return pool
}

// TestDovecotVerifies: the peer refuses what it has to, so that what it takes proves
// something.
func TestDovecotVerifies(t *testing.T) {
	if err := peer.login(t, library, "made-up"); err == nil {
		t.Error("Dovecot takes a made-up token")
	}
	s := newSite(t)
	s.signIn()
	token := s.token("access_token")
	check(t, peer.login(t, library, token))
	if err := peer.login(t, "somebody@example.org", token); err == nil {
		t.Error("Dovecot takes another user's token")
	}
	m := newSite(t)
	m.signInWithMicrosoft()
	if err := peer.login(t, library, m.tokenOf("microsoft", "access_token")); err == nil {
		t.Error("Dovecot takes a token that is not for mail")
	}
}
