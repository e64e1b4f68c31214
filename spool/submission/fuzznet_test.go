package submission

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzServer: whatever comes over the network, in the clear and over TLS, before and after a
// login, the server ends, nothing panics, nothing is queued without a key, and what it answered
// 250 to is what is queued.
func FuzzServer(f *testing.F) {
	const mail = "MAIL FROM:<a@example.org>\r\nRCPT TO:<ada@example.net>\r\nDATA\r\nSubject: x\r\n\r\n"
	f.Add([]byte("EHLO x\r\n"+mail+"text\r\n.\r\nQUIT\r\n"), true, false)
	f.Add([]byte("EHLO x\r\n"+mail+"text\r\n.\r\nQUIT\r\n"), false, false)
	f.Add([]byte("EHLO x\r\nSTARTTLS\r\nEHLO x\r\n"+mail+".\r\n"), false, true)
	f.Add([]byte("EHLO x\r\nAUTH LOGIN\r\nbDAt\r\neA==\r\nAUTH PLAIN AGEAYg==\r\nAUTH PLAIN\r\n*\r\n"), false, false)
	f.Add([]byte(mail+"\n.\n"+evil+"\r\n\x00.\r\n"+evil), true, false)
	f.Add([]byte(mail+"\r\r\n.\r\r\n..\r\n.\r\n"+evil), true, false)
	f.Add([]byte(mail+"A\r\n.\r\r\nB\r\n.\rMAIL\r\n"+evil), true, false)
	f.Add([]byte(mail+"A\r\n."+strings.Repeat("\r", netBufferSize-1)+"\r\n"+evil), true, false)
	f.Add([]byte(mail+"text\r\n.\r\n"+mail+"two\r\n.\r\nRSET\r\nMAIL FROM:<> SIZE=9999\r\nBDAT 3 LAST\r\nabc"), true, false)
	f.Add([]byte("MAIL FROM:<a@example.org> AUTH=<> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x\r\nRCPT TO:<a@example.net> NOTIFY=NEVER ORCPT=rfc822;a@b\r\nDATA\r\n"), true, false)
	f.Add([]byte("BDAT 6\r\nNOOP\r\nBDAT 28 LAST\r\nRCPT TO:<evil@example.net>\r\n"+mail+"BDAT 9\r\n.\r\nBDAT 8001\r\nQUIT\r\n"), true, false)
	f.Fuzz(func(t *testing.T, text []byte, login, plain bool) {
		synctest.Test(t, func(t *testing.T) { fuzzServer(t, text, login, plain) })
	})
}

func fuzzServer(t *testing.T, text []byte, login, plain bool) {
	h := newHosting(t, func(s *Server) { s.Intake.MaxSize = 2000 })
	hangs := time.AfterFunc(3*time.Hour, func() { panic(fmt.Sprintf("it hangs: %q %v %v", text, login, plain)) })
	defer hangs.Stop()
	var c *client
	switch {
	case plain:
		c = h.client(h.connect(h.plain))
		c.sends("", "220 ")
	case login:
		c = h.enter()
	default:
		c = h.visit()
	}
	replies := make(chan string)
	go func() {
		all, _ := io.ReadAll(c.r)
		replies <- string(all)
	}()
	_, _ = c.conn.Write(text)
	closeWrite(c.conn)
	said := 0
	for line := range strings.Lines(<-replies) {
		if strings.HasPrefix(line, queuedReply) {
			said++
		}
	}
	if got := len(h.desk.queued()); got != said || got != len(h.entries()) || got > 0 && (!login || plain) {
		t.Errorf("250 was said to %d messages, %d are queued, %d told", said, got, len(h.entries()))
	}
}

// closeWrite ends what the client says. A pipe has no half that could be closed: the server meets
// its own time limit, or an end that the system would tell it.
func closeWrite(conn net.Conn) {
	type half interface{ CloseWrite() error }
	if c, ok := conn.(half); ok && c.CloseWrite() == nil {
		return
	}
	conn.Close()
}
