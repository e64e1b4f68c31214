//go:build peers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"notices/scripts/e2e/servers"
)

// service is a notices serve whose mail stays in its spool.
type service struct {
	*site
	implicit, starttls int // ports
	key                string
}

const serveConfig = `
[serve]
listen_tls = ["127.0.0.1:%d"]
listen_starttls = ["127.0.0.1:%d"]
cert_file = %q
key_file = %q
address = "noreply@service.example"
messages_per_minute = 0
deliver = false
`

func startService(t *testing.T) *service {
	t.Helper()
	s := &service{site: newSite(t), implicit: freePort(t), starttls: freePort(t)}
	s.configure(serverConfig(freePort(t), "starttls", goodPassword), fmt.Sprintf(serveConfig, s.implicit, s.starttls, certs.cert, certs.key))
	words := strings.Fields(s.must("", "service-key", "add", "library", "--name", "Town Library", "--address", "desk@library.example"))
	s.key = words[len(words)-1]
	cmd := exec.Command(binary, "--config", s.path("notices.toml"), "serve")
	cmd.Env = s.environment()
	server, err := servers.Start(cmd, s.path("serve.out"))
	check(t, err)
	t.Cleanup(func() {
		server.Stop()
		if t.Failed() {
			t.Logf("serve:\n%s", tail(s.path("serve.out")))
		}
	})
	until(t, "notices serve", func() bool { return greets(s.implicit, true) && greets(s.starttls, false) })
	return s
}

// clients are programs that hand in mail with a name and a key, each as its users set it up. The
// shell knows $TLS, $STARTTLS (ports), $KEY, $CA and $DIR.
var clients = map[string]string{
	"swaks, TLS, PLAIN":                 `swaks -S 2 --tls-on-connect -p $TLS --auth PLAIN ` + swaks,
	"swaks, TLS, LOGIN":                 `swaks -S 2 --tls-on-connect -p $TLS --auth LOGIN ` + swaks,
	"swaks, STARTTLS, PLAIN":            `swaks -S 2 -tls -p $STARTTLS --auth PLAIN ` + swaks,
	"swaks, STARTTLS, LOGIN, pipelined": `swaks -S 2 -tls -p $STARTTLS --auth LOGIN --pipeline ` + swaks,
	"msmtp, TLS":                        msmtp("tls_starttls off\nport $TLS\nauth on"),
	"msmtp, STARTTLS":                   msmtp("tls_starttls on\nport $STARTTLS\nauth login"),
	"curl, TLS":                         `printf '%b' "$MAIL" | curl -sS --cacert $CA --url smtps://127.0.0.1:$TLS --user library:$KEY --mail-from desk@library.example --mail-rcpt patron@example.net -T -`,
	"Python smtplib, TLS": smtplib(`s = smtplib.SMTP_SSL("127.0.0.1", TLS, context=c, timeout=20)
s.login("library", KEY)`),
	"Python smtplib, STARTTLS, LOGIN": smtplib(`s = smtplib.SMTP("127.0.0.1", STARTTLS, timeout=20)
assert not s.has_extn("auth")
s.starttls(context=c)
s.ehlo()
s.user, s.password = "library", KEY
s.auth("LOGIN", s.auth_login, initial_response_ok=False)
s.rset()
s.ehlo()`),
	"Python smtplib, LOGIN with the name": smtplib(`s = smtplib.SMTP_SSL("127.0.0.1", TLS, context=c, timeout=20)
s.ehlo()
s.user, s.password = "library", KEY
s.auth("LOGIN", s.auth_login)`),
	// s-nail finds no IP address in a certificate.
	"s-nail": `printf 'Text.\n' | s-nail -n -S v15-compat -S mta=smtps://library:$KEY@127.0.0.1:$TLS -S tls-verify=ignore -S smtp-auth=plain \
		-S from=desk@library.example -S hostname=library.example -S sendwait -s Overdue patron@example.net`,
	"git send-email": `git init -q . && git config user.name Desk && git config user.email desk@library.example
		git commit -q --allow-empty -m first && echo x > file && git add file && git commit -q -m Overdue
		git send-email --quiet --confirm=never --from=desk@library.example --suppress-cc=all --to=patron@example.net --smtp-server=127.0.0.1 \
		--smtp-server-port=$TLS --smtp-encryption=ssl --smtp-ssl-cert-path=$CA --smtp-user=library --smtp-pass=$KEY -1 < /dev/null`,
	"openssl s_client, as Thunderbird": `{ sleep 1; printf 'EHLO [192.168.0.7]\r\n'; sleep 1; printf "AUTH PLAIN $(printf '\0library\0%s' $KEY | base64 -w0)\r\n"; sleep 1
		printf 'EHLO [192.168.0.7]\r\n'; sleep 1; printf 'MAIL FROM:<desk@library.example> BODY=8BITMIME SIZE=60\r\n'; sleep 1
		printf 'RCPT TO:<patron@example.net>\r\n'; sleep 1; printf 'DATA\r\n'; sleep 1; printf "$MAIL"; printf '.\r\n'; sleep 1; printf 'QUIT\r\n'; sleep 1; } |
		openssl s_client -quiet -ign_eof -starttls smtp -CAfile $CA -verify_return_error -connect 127.0.0.1:$STARTTLS`,
}

const swaks = `-s 127.0.0.1 --auth-user library --auth-password $KEY --tls-verify --tls-ca-path $CA -f desk@library.example -t patron@example.net --header 'Subject: Overdue'`

func msmtp(settings string) string {
	return fmt.Sprintf(`cat > msmtprc <<END
account default
host 127.0.0.1
%s
tls on
tls_trust_file $CA
from desk@library.example
user library
password $KEY
END
chmod 600 msmtprc; printf '%%b' "$MAIL" | msmtp -C msmtprc patron@example.net`, settings)
}

func smtplib(login string) string {
	return `/usr/bin/python3 - <<END
import os, smtplib, ssl
TLS, STARTTLS, KEY = $TLS, $STARTTLS, "$KEY"
c = ssl.create_default_context(cafile="$CA")
` + login + `
refused = s.sendmail("desk@library.example", ["patron@example.net", "bad@@example.net"], "From: desk@library.example\nSubject: Overdue\n\n.\n..\n\u00dcber\n".encode())
assert list(refused) == ["bad@@example.net"], refused
s.quit()
END`
}

// TestClients: what each of them hands in is queued once, as the service's own, and a wrong key
// makes it fail.
func TestClients(t *testing.T) {
	s := startService(t)
	run := func(t *testing.T, script, key string) (string, error) {
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = folder(t)
		cmd.Env = append(os.Environ(), fmt.Sprint("TLS=", s.implicit), fmt.Sprint("STARTTLS=", s.starttls), "KEY="+key, "CA="+certs.ca, "HOME="+cmd.Dir,
			`MAIL=From: desk@library.example\r\nSubject: Overdue\r\n\r\nText.\r\n`)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name, script := range clients {
		t.Run(name, func(t *testing.T) {
			before := map[string]bool{}
			for _, q := range s.list() {
				before[q.ID] = true
			}
			if out, err := run(t, script, s.key); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			fresh := 0
			for _, q := range s.list() {
				if before[q.ID] {
					continue
				}
				fresh++
				text := s.stored(q.ID).String()
				for _, want := range []string{`From: "Town Library" <noreply@service.example>`, "Reply-To: ", "Subject: ", "Overdue"} {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in\n%s", want, text)
					}
				}
				if len(q.Recipients) != 1 || q.Recipients[0].Address != patron {
					t.Errorf("%+v", q)
				}
			}
			if fresh != 1 {
				t.Errorf("%d messages", fresh)
			}
		})
	}
	before := len(s.list())
	for _, name := range []string{"swaks, TLS, PLAIN", "msmtp, STARTTLS", "Python smtplib, TLS"} {
		if out, err := run(t, clients[name], "wrong"); err == nil || !strings.Contains(out, "535") {
			t.Errorf("%s with a wrong key: %v\n%s", name, err, out)
		}
	}
	if n := len(s.list()); n != before {
		t.Errorf("%d messages with a wrong key", n-before)
	}
}

// TestPostfixAsClient: a site's own Postfix hands all mail to the service, relayhost with SASL,
// over STARTTLS and over TLS, and what the service refuses it returns itself.
func TestPostfixAsClient(t *testing.T) {
	s := startService(t)
	for name, relay := range map[string]string{
		"STARTTLS": fmt.Sprintf("relayhost = [127.0.0.1]:%d", s.starttls),
		"TLS":      fmt.Sprintf("relayhost = [127.0.0.1]:%d\nsmtp_tls_wrappermode = yes", s.implicit),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.list())
			p := startPostfix(t, relay, "smtp_tls_security_level = encrypt", "smtp_tls_CAfile = "+certs.ca,
				"smtp_sasl_auth_enable = yes", "smtp_sasl_security_options = noanonymous",
				"smtp_sasl_password_maps = static:library:"+s.key, "virtual_mailbox_domains =", "default_transport = smtp",
				"mynetworks = 127.0.0.0/8", "smtpd_relay_restrictions = permit_mynetworks, reject", "smtpd_recipient_restrictions = permit_mynetworks, reject")
			for i := range 20 {
				cmd := exec.Command("swaks", "-S", "2", "-tls", "-s", "127.0.0.1", "-p", fmt.Sprint(p.starttls), "-f", "desk@library.example", "-t", patron,
					"--header", fmt.Sprintf("Subject: number %d", i))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			until(t, "twenty messages", func() bool { return len(s.list()) == before+20 })
		})
	}
}
