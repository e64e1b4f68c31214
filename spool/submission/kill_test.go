package submission

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maildir"
	"notices/spool/service"
	"notices/spool/smtptest"
)

// serveDir, in the environment, makes the test binary a server on the spool in that folder. It
// prints the address of its port with TLS and the key of its site.
const serveDir = "SUBMISSION_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveDir); dir != "" {
		serveHere(dir)
		return
	}
	os.Exit(m.Run())
}

// fatal is a smtptest.TB without a test.
type fatal struct{}

func (fatal) Helper()                   {}
func (fatal) Cleanup(func())            {}
func (fatal) Logf(string, ...any)       {}
func (fatal) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (fatal) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func serveHere(dir string) {
	if p := os.Getenv("SUBMISSION_TEST_PPROF"); p != "" {
		go http.ListenAndServe(p, nil)
	}
	store, err := maildir.Open(dir, maildir.Options{})
	if err != nil {
		panic(err)
	}
	srv := &Server{
		Intake:   &intake.Intake{Store: store, MaxSize: 50 << 20, Site: intake.Site{Address: "p@service.example", FindHostname: func() string { return "mail.service.example" }}},
		Hostname: "mail.service.example",
		TLS:      smtptest.SelfSigned(fatal{}),
		Sites:    &service.Register{State: store.State()},
		Rules:    Rules{From: "noreply@service.example", MaxConnections: 5100},
	}
	key, err := srv.Sites.Add(context.Background(), "library", "Library", "desk@library.example")
	if err != nil {
		key, err = srv.Sites.Rotate(context.Background(), "library", true)
	}
	l, e := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || e != nil {
		panic(fmt.Sprint(err, e))
	}
	fmt.Println(l.Addr(), key)
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go srv.ServeTLS(l)
	<-stop.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		panic(err)
	}
	store.Close()
}

// process is a server in a process of its own.
type process struct {
	cmd          *exec.Cmd
	address, key string
}

func startProcess(t testing.TB, dir string, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(append(os.Environ(), serveDir+"="+dir), env...)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	if _, err := fmt.Fscan(out, &p.address, &p.key); err != nil {
		t.Fatal(err)
	}
	return p
}

// enter connects and logs in.
func (p *process) enter() (*bufio.Reader, net.Conn, error) {
	conn, err := tls.Dial("tcp", p.address, insecure)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReader(conn)
	_, err = r.ReadString('\n')
	if err == nil {
		_, err = ask(r, conn, "EHLO x\r\n", "250 ")
	}
	if err == nil {
		_, err = ask(r, conn, plainAuth("library", p.key), "235 ")
	}
	return r, conn, err
}

// ask writes a command and returns the last line of the reply.
func ask(r *bufio.Reader, w io.Writer, text, want string) (string, error) {
	if _, err := io.WriteString(w, text); err != nil {
		return "", err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line[3] != '-' {
			if !strings.HasPrefix(line, want) {
				err = fmt.Errorf("%q: %q", text, line)
			}
			return line, err
		}
	}
}

// hand hands in a message and returns its id.
func hand(r *bufio.Reader, w io.Writer, subject, text string) (string, error) {
	line, err := ask(r, w, "MAIL FROM:<desk@library.example>\r\n", "250 ")
	if err == nil {
		_, err = ask(r, w, "RCPT TO:<ada@example.net>\r\n", "250 ")
	}
	if err == nil {
		_, err = ask(r, w, "DATA\r\n", "354 ")
	}
	if err == nil {
		line, err = ask(r, w, "From: desk@library.example\r\nSubject: "+subject+"\r\n\r\n"+text+"\r\n.\r\n", queuedReply)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, queuedReply)), err
}

// TestKilled: a server that is killed in the middle of its traffic has all messages that it
// answered with 250, and of the others at most those that were being answered. One that is asked
// to stop has exactly what it answered.
func TestKilled(t *testing.T) {
	t.Parallel()
	const sessions, each = 8, 5
	dir := t.TempDir()
	taken := map[string]bool{}
	for round, sign := range []os.Signal{os.Kill, os.Kill, syscall.SIGTERM} {
		p := startProcess(t, dir)
		var mu sync.Mutex
		var some, all sync.WaitGroup
		for i := range sessions {
			some.Add(each)
			all.Go(func() {
				r, conn, err := p.enter()
				if err != nil {
					t.Error(err)
				} else {
					defer conn.Close()
				}
				for n := 0; err == nil; n++ {
					var id string
					if id, err = hand(r, conn, fmt.Sprint(round, i, n), strings.Repeat("text\r\n", 100)); err == nil {
						mu.Lock()
						taken[id] = true
						mu.Unlock()
					}
					if n < each {
						some.Done()
					}
				}
			})
		}
		some.Wait()
		before := count(t, dir)
		p.cmd.Process.Signal(sign)
		state, _ := p.cmd.Process.Wait()
		all.Wait()
		found := listed(t, dir)
		for id := range taken {
			if !found[id] {
				t.Errorf("round %d: %s was answered with 250 and is lost", round, id)
			}
		}
		most := len(taken) + sessions*(round+1)
		if sign == syscall.SIGTERM {
			most = len(taken) + 2*sessions // of the rounds before
			if !state.Success() {
				t.Errorf("%v", state)
			}
		}
		if len(found) > most || len(found) < before {
			t.Errorf("round %d: %d messages, %d were answered", round, len(found), len(taken))
		}
	}
}

func count(t *testing.T, dir string) int { return len(listed(t, dir)) }

func listed(t *testing.T, dir string) map[string]bool {
	t.Helper()
	store, err := maildir.Open(dir, maildir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found := map[string]bool{}
	if err := store.Scan(t.Context(), func(e spool.Entry) bool { found[string(e.ID)] = true; return true }); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestIdleSessions: a thousand sessions that do nothing take little memory, and others are served.
func TestIdleSessions(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for len(conns) < 1000 {
		_, conn, err := p.enter()
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	r, conn, err := p.enter()
	if err == nil {
		defer conn.Close()
		_, err = hand(r, conn, "x", "y")
	}
	if err != nil {
		t.Error(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("no /proc: %d sessions work, their memory is not measured", len(conns))
		return
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	kib := 0
	if _, err := fmt.Sscan(text, &kib); err != nil || kib > mostMemory {
		t.Errorf("%d sessions took up to %d KiB, %v", len(conns), kib, err)
	}
	t.Logf("%d sessions: %d KiB", len(conns), kib)
}
