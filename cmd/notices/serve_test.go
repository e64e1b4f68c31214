package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/spool/smtptest"
)

// What scripts about notices serve can do:
//
//	port NAME                 puts a free port of the loopback interface into $NAME
//	socket NAME               the same, and listens there until the script ends, as systemd does: no
//	                          client is refused while no notices serve runs
//	certificate DIR           makes DIR/cert.pem and DIR/key.pem, signed by ca.pem
//	serve NAME [ARG...]       starts notices serve, and waits until it serves; what it says is in NAME.log.
//	                          It gets the sockets that were opened
//	signal NAME TERM|HUP|KILL
//	logged NAME REGEXP        waits until it has said that
//	ended NAME                waits until it has ended with 0, or been killed; ! otherwise
//	submit [-starttls] PORT SITE KEY RECIPIENT FILE    hands a message in; its output is the refusal
//	talk clear|tls PORT FILE  says all of FILE at once, and prints what the server says until it ends the connection
//	lastword NAME             keeps the last word of standard output in $NAME
//	arrives NAME N            waits until a server (smtpserver) has taken so many messages
func serveCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"port": freePort, "socket": keepSocket, "certificate": makeCertificate, "serve": startServe, "signal": signalServe,
		"logged": logged, "ended": ended, "submit": submit, "talk": talk, "arrives": arrives, "lastword": lastWord,
	}
}

// longest is how long a test waits for what another process does at once. It only ends a test
// that would wait for ever.
const longest = 30 * time.Second

// await waits until done reports true, and reports whether it did. It has to look again and again,
// and to sleep in between: what another process does, on a terminal, in a file or to a server,
// wakes no goroutine of a test.
func await(done func() bool) bool {
	for deadline := time.Now().Add(longest); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// until is await for a script, which ends if it was in vain.
func until(ts *testscript.TestScript, what string, done func() bool) {
	if !await(done) {
		ts.Fatalf("waited in vain: %s", what)
	}
}

// services are the running notices serve and the sockets of a script.
type services struct {
	running map[string]*served
	sockets []*os.File
}

type served struct {
	cmd  *exec.Cmd
	over chan struct{}
	err  error
	log  string
}

var serves struct {
	sync.Mutex
	scripts map[string]*services
}

func servicesOf(ts *testscript.TestScript) *services {
	serves.Lock()
	defer serves.Unlock()
	work := ts.Getenv("WORK")
	if serves.scripts == nil {
		serves.scripts = map[string]*services{}
	}
	s := serves.scripts[work]
	if s == nil {
		s = &services{running: map[string]*served{}}
		serves.scripts[work] = s
		ts.Defer(s.close)
	}
	return s
}

func (s *services) close() {
	for _, one := range s.running {
		_ = one.cmd.Process.Kill()
		<-one.over
	}
	for _, f := range s.sockets {
		f.Close()
	}
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strconv.Itoa(closedPort(ts)))
}

func keepSocket(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	ts.Check(err)
	s := servicesOf(ts)
	s.sockets = append(s.sockets, f)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

func makeCertificate(ts *testscript.TestScript, _ bool, args []string) {
	ca := authority()
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o755))
	smtptest.Files(tb{ts}, ca.TLS(tb{ts}), ts.MkAbs(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), ca.PEM(), 0o644))
}

func startServe(ts *testscript.TestScript, _ bool, args []string) {
	s, name := servicesOf(ts), args[0]
	program, err := exec.LookPath("notices")
	ts.Check(err)
	log, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	defer log.Close()
	// systemd sets LISTEN_PID after it has forked.
	script := `LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, program, "serve"}, args[1:]...)...)
	cmd.Dir, cmd.Stderr, cmd.ExtraFiles = ts.Getenv("WORK"), log, s.sockets
	cmd.Env = environment(ts.Getenv("WORK"))
	for _, key := range []string{"PATH", "NOTICES_CONFIG", "TZ", "CLOCK"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	if len(s.sockets) > 0 {
		cmd.Env = append(cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(s.sockets)))
	}
	ts.Check(cmd.Start())
	one := &served{cmd: cmd, over: make(chan struct{}), log: log.Name()}
	s.running[name] = one
	go func() {
		one.err = cmd.Wait()
		close(one.over)
	}()
	logged(ts, false, []string{name, "notices: serving on "})
	said, err := os.ReadFile(one.log)
	ts.Check(err)
	if regexp.MustCompile(`serving on .*:(465|587)\b`).Match(said) {
		ts.Fatalf("a story has ports of its own; set listen_tls and listen_starttls: %s", said)
	}
}

// serviceOf is a service by its name.
func serviceOf(ts *testscript.TestScript, name string) *served {
	one := servicesOf(ts).running[name]
	if one == nil {
		ts.Fatalf("there is no service %s", name)
	}
	return one
}

func signalServe(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	ts.Check(serviceOf(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

func logged(ts *testscript.TestScript, _ bool, args []string) {
	one, want := serviceOf(ts, args[0]), regexp.MustCompile("(?m)"+args[1])
	over := false
	until(ts, args[0]+" says "+args[1], func() bool {
		text, err := os.ReadFile(one.log)
		ts.Check(err)
		if want.Match(text) {
			return true
		}
		if over {
			ts.Fatalf("%s has ended and did not say %s:\n%s", args[0], args[1], text)
		}
		select {
		case <-one.over:
			over = true // what it said last is looked at once more
		default:
		}
		return false
	})
}

func ended(ts *testscript.TestScript, neg bool, args []string) {
	one := serviceOf(ts, args[0])
	select {
	case <-one.over:
	case <-time.After(longest):
		ts.Fatalf("%s does not end", args[0])
	}
	killed := errors.As(one.err, new(*exec.ExitError)) && one.cmd.ProcessState.ExitCode() < 0
	if bad := one.err != nil && !killed; bad != neg {
		text, _ := os.ReadFile(one.log)
		ts.Fatalf("%s ended: %v\n%s", args[0], one.err, text)
	}
}

func submit(ts *testscript.TestScript, neg bool, args []string) {
	starttls := args[0] == "-starttls"
	if starttls {
		args = args[1:]
	}
	port, site, key, recipient, file := args[0], args[1], args[2], args[3], args[4]
	err := handIn(ts, port, site, key, recipient, ts.ReadFile(file), starttls)
	if err != nil {
		_, _ = ts.Stdout().Write([]byte(err.Error() + "\n"))
	}
	if (err != nil) != neg {
		ts.Fatalf("submit: %v", err)
	}
}

func handIn(ts *testscript.TestScript, port, site, key, recipient, text string, starttls bool) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ts.ReadFile("ca.pem")))
	conf := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(longest))
	if !starttls {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err == nil && starttls {
		err = c.StartTLS(conf)
	}
	if err == nil {
		err = c.Auth(smtp.PlainAuth("", site, key, "127.0.0.1"))
	}
	if err == nil {
		err = c.Mail("desk@springfield.example")
	}
	if err == nil {
		err = c.Rcpt(recipient)
	}
	if err != nil {
		return err
	}
	w, err := c.Data()
	if err == nil {
		_, err = w.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
		err = errors.Join(err, w.Close())
	}
	return errors.Join(err, c.Quit())
}

func talk(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+args[1])
	ts.Check(err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(longest))
	if args[0] == "tls" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // what it says is looked at, not who says it
	}
	_, err = io.WriteString(conn, strings.ReplaceAll(ts.ReadFile(args[2]), "\n", "\r\n"))
	ts.Check(err)
	said, err := io.ReadAll(conn)
	ts.Check(err)
	_, err = ts.Stdout().Write(said)
	ts.Check(err)
}

func arrives(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts, args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	until(ts, "server "+args[0]+" takes "+args[1]+" messages", func() bool { return len(s.Messages()) >= n })
	if got := len(s.Messages()); got > n {
		ts.Fatalf("server %s took %d messages, not %d", args[0], got, n)
	}
}

func lastWord(ts *testscript.TestScript, _ bool, args []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	if len(words) == 0 {
		ts.Fatalf("nothing was printed")
	}
	ts.Setenv(args[0], words[len(words)-1])
}
