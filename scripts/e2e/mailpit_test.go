//go:build peers

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mailpit takes every mail, after AUTH over STARTTLS, and shows it through its API.
// It offers no 8BITMIME.
type mailpit struct {
	smtp, web int // ports
}

func startMailpit(t *testing.T) *mailpit {
	t.Helper()
	dir := folder(t)
	m := &mailpit{smtp: freePort(t), web: freePort(t)}
	users := filepath.Join(dir, "users")
	write(t, users, login+":"+password+"\n")
	startServer(t, filepath.Join(dir, "mailpit.out"), filepath.Join(root, ".cache/bin/mailpit"),
		"--smtp", address(m.smtp), "--listen", address(m.web), "--database", filepath.Join(dir, "mailpit.db"),
		"--max", "0", "--smtp-tls-cert", certs.cert, "--smtp-tls-key", certs.key, "--smtp-require-starttls",
		"--smtp-auth-file", users, "--smtp-disable-rdns", "--disable-version-check", "--quiet")
	until(t, "Mailpit", func() bool { return greets(m.smtp, false) && m.answers() })
	return m
}

func (m *mailpit) config(secret string) string { return serverConfig(m.smtp, "starttls", secret) }

var web = http.Client{Timeout: 10 * time.Second}

func (m *mailpit) answers() bool {
	response, err := web.Get(m.url("/livez"))
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (m *mailpit) url(path string) string { return "http://" + address(m.web) + path }

func (m *mailpit) get(t *testing.T, path string) []byte {
	t.Helper()
	response, err := web.Get(m.url(path))
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", path, response.Status, body)
	}
	return body
}

// arrived reads what it took, once for each message.
func (m *mailpit) arrived(t *testing.T) []mail {
	t.Helper()
	var list struct {
		Total    int
		Messages []struct{ ID string }
	}
	check(t, json.Unmarshal(m.get(t, "/api/v1/messages?limit=100000"), &list))
	if len(list.Messages) != list.Total {
		t.Fatalf("Mailpit lists %d of %d messages", len(list.Messages), list.Total)
	}
	mails := make([]mail, len(list.Messages))
	for i, message := range list.Messages {
		mails[i] = parseMailpit(t, m.get(t, fmt.Sprintf("/api/v1/message/%s/raw", message.ID)))
	}
	return mails
}

// parseMailpit is parseMail for Mailpit, which puts recipients that no field names
// into a Bcc on top of everything.
func parseMailpit(t *testing.T, text []byte) mail {
	t.Helper()
	m := splitMail(t, strings.ReplaceAll(string(text), "\r\n", "\n"))
	if strings.HasPrefix(m.header[0], "Bcc:") {
		m.header = m.header[1:]
	}
	return m.untraced()
}
