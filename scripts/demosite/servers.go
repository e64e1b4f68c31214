package main

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"strings"
	"sync"

	"notices/spool/smtptest"
)

const (
	login    = "library"
	password = "correct-horse"
)

// mailServer accepts mail after a login over STARTTLS.
type mailServer struct {
	*smtptest.Server
	mu     sync.Mutex
	closed string            // its answer to every connection; "": it is open
	gone   map[string]string // its answer by recipient
}

// setUp writes the library's configuration and starts its mail servers.
func (d *demo) setUp() error {
	ca := smtptest.NewCA(d)
	config := fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "desk.example.org"

[spool]
dir = %q
`, d.path("spool"))
	for i := range d.server {
		d.server[i] = startMailServer(d, ca)
		config += fmt.Sprintf(`
[[server]]
host = %q
port = %d
ca_file = %q
login = %q
password_file = %q
`, d.server[i].Host(), d.server[i].Port(), d.path("ca.pem"), login, d.path("password"))
	}
	for name, text := range map[string]string{
		"ca.pem":       string(ca.PEM()),
		"password":     password + "\n",
		"notices.toml": config,
	} {
		if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func startMailServer(d *demo, ca *smtptest.CA) *mailServer {
	m := &mailServer{gone: make(map[string]string)}
	m.Server = smtptest.New(d, smtptest.Options{
		TLS:   ca.TLS(d),
		Users: map[string]string{login: password},
		Reply: m.reply,
	})
	return m
}

func (m *mailServer) reply(stage, line string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch stage {
	case "connect":
		return m.closed
	case "RCPT":
		for address, answer := range m.gone {
			if strings.Contains(line, "<"+address+">") {
				return answer
			}
		}
	}
	return ""
}

// refuse makes it give that answer to every connection; "" opens it again.
func (m *mailServer) refuse(answer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = answer
	if answer != "" {
		m.closed += "\n" + smtptest.Drop
	}
}

func (m *mailServer) refuseRecipient(address, answer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone[address] = answer
}

// show prints a line for each message that it accepted.
func (m *mailServer) show() {
	for _, message := range m.Messages() {
		subject := "(unreadable)"
		if parsed, err := mail.ReadMessage(bytes.NewReader(message.Data)); err == nil {
			subject = parsed.Header.Get("Subject")
			if decoded, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
				subject = decoded
			}
		}
		to := message.Recipients[0]
		if n := len(message.Recipients); n > 1 {
			to = fmt.Sprintf("%s and %d more", to, n-1)
		}
		fmt.Printf("  %6d octets  %-36s %s\n", len(message.Data), to, subject)
	}
}

// showReturn prints the text part of the last return that it accepted.
func (m *mailServer) showReturn() error {
	for _, message := range m.Messages() {
		if message.Sender != "" {
			continue
		}
		parsed, err := mail.ReadMessage(bytes.NewReader(message.Data))
		if err != nil {
			return err
		}
		return showFirstPart(parsed)
	}
	return fmt.Errorf("no return arrived")
}

func showFirstPart(m *mail.Message) error {
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	part, err := multipart.NewReader(m.Body, parameters["boundary"]).NextPart()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	fmt.Printf("  From: %s\n  Subject: %s\n\n", m.Header.Get("From"), m.Header.Get("Subject"))
	for line := range strings.Lines(string(text)) {
		fmt.Print("  ", line)
	}
	return nil
}
