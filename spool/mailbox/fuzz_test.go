package mailbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"notices/spool/smtpreply"
)

// replay is a connection on which a server has said all there is to say.
type replay struct {
	io.Reader
	closed atomic.Bool
}

func (r *replay) Write(p []byte) (int, error) {
	if r.closed.Load() {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

func (r *replay) Close() error {
	r.closed.Store(true)
	return nil
}

func (*replay) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*replay) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*replay) SetDeadline(time.Time) error      { return nil }
func (*replay) SetReadDeadline(time.Time) error  { return nil }
func (*replay) SetWriteDeadline(time.Time) error { return nil }

// replayed is a session with such a server.
func replayed(server *Server, said []byte) *session {
	conn := &replay{Reader: bytes.NewReader(said)}
	s := &session{server: server, judge: smtpreply.Judge{Now: time.Now}, conn: &boundedConn{Conn: conn, raw: conn}}
	s.judge.Mask(password)
	s.conn.left.Store(answerOctets)
	return s
}

// TestBusy: the library never ends with this answer, but the step does. It is tested in a process of
// its own, which ends with it.
func TestBusy(t *testing.T) {
	if os.Getenv("BUSY") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBusy$")
		cmd.Env = append(os.Environ(), "BUSY=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := replayed(&Server{Host: "mail.example.org", Port: 993, Timeout: 50 * time.Millisecond, Now: time.Now}, []byte("* OK [CAPABILITY (A)] hello\r\n"))
	s.client = imapclient.New(s.conn, nil)
	err := s.do(t.Context(), "greeting", answerOctets, s.greeted)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Reason != TimeUp {
		t.Errorf("%v", err)
	}
	s.drop()
}

// FuzzServer: whatever a server says, before TLS and after it, every step ends, and an error is
// one that can be shown.
func FuzzServer(f *testing.F) {
	f.Add([]byte("* OK hello\r\nS OK go\r\n"))
	f.Add([]byte("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n* CAPABILITY IMAP4rev1\r\nT1 OK\r\nT2 OK\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nT3 OK\r\n" +
		"* SEARCH 1 2\r\nT4 OK\r\n* 1 FETCH (UID 1 BODY[]<0> {5}\r\nabc\r\n)\r\nT5 OK\r\nT6 OK\r\nT7 NO [TRYCREATE] x\r\n"))
	f.Add([]byte("* OK x\r\n* ESEARCH (TAG \"T1\") UID ALL 1:4294967295\r\nT1 OK\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		if bytes.Contains(bytes.ToUpper(said), []byte("CAPABILITY")) && bytes.Contains(said, []byte{'('}) {
			return // TestBusy has it; here each such input would keep a processor busy to the end
		}
		server := &Server{Host: "mail.example.org", Port: 143, Login: login, Timeout: time.Minute, Now: time.Now}
		session := func() *session { return replayed(server, said) }
		ctx := context.Background()
		s := session()
		errs := []error{s.do(ctx, "TLS", lineOctets, s.startTLS)}
		s = session()
		s.conn.left.Store(answerOctets)
		s.client = imapclient.New(s.conn, nil)
		defer s.drop()
		errs = append(errs, s.do(ctx, "greeting", answerOctets, s.greeted))
		errs = append(errs, s.do(ctx, "login", answerOctets, func() error { return s.login(password) }))
		folder, err := s.choose(ctx, "INBOX", false)
		errs = append(errs, err)
		_, err = folder.search(ctx, 0, true)
		errs = append(errs, err)
		_, _, err = folder.fetch(ctx, []uint32{1, 2}, func([]byte) error { return nil })
		errs = append(errs, err, folder.mark(ctx, []uint32{1}, "Read"))
		for _, err := range errs {
			if err != nil && (bytes.ContainsAny([]byte(err.Error()), "\r\n\x1b") || len(err.Error()) > 2000) {
				t.Errorf("not fit to be shown: %q", err)
			}
		}
	})
}
