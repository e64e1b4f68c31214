package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/spool/smtptest"
)

// smtpServers are the servers of one script.
type smtpServers struct {
	mu   sync.Mutex
	name map[string]*smtptest.Server
}

// running finds the servers of a script by its folder, which no other script has.
var running struct {
	sync.Mutex
	scripts map[string]*smtpServers
}

func serversOf(ts *testscript.TestScript) *smtpServers {
	work := ts.Getenv("WORK")
	running.Lock()
	defer running.Unlock()
	if running.scripts == nil {
		running.scripts = map[string]*smtpServers{}
	}
	if running.scripts[work] == nil {
		running.scripts[work] = &smtpServers{name: map[string]*smtptest.Server{}}
		ts.Defer(func() {
			running.Lock()
			defer running.Unlock()
			delete(running.scripts, work)
		})
	}
	return running.scripts[work]
}

// smtpServer NAME [OPTION...] starts a server on the loopback interface, or changes
// one that runs. Its port is $NAME. Without options it takes everything, in the
// clear. Options:
//
//	-at STAGE REPLY    answers so at connect, EHLO, AUTH, MAIL, RCPT, DATA, dot
//	-to ADDRESS REPLY  answers so to RCPT for that address
//	-from ADDRESS REPLY  the same to MAIL; '' is the null sender
//	-login USER:PASSWORD
//	-token USER:TOKEN  XOAUTH2
//	-clear             offers AUTH without TLS
//	-tls, -implicit    STARTTLS, or TLS from the start; the CA is in ca.pem
//	-dsn               offers DSN
//	-down              closes it; the port refuses connections
func smtpServer(ts *testscript.TestScript, _ bool, args []string) {
	servers := serversOf(ts)
	name := args[0]
	o, down := smtpOptions(ts, args[1:])
	servers.mu.Lock()
	defer servers.mu.Unlock()
	if s := servers.name[name]; s != nil {
		if down {
			s.Close()
			delete(servers.name, name)
			return
		}
		s.Set(func(now *smtptest.Options) { *now = o })
		return
	}
	if down {
		ts.Setenv(name, strconv.Itoa(closedPort(ts)))
		return
	}
	s, err := smtptest.Start(o)
	ts.Check(err)
	ts.Defer(s.Close)
	servers.name[name] = s
	ts.Setenv(name, strconv.Itoa(s.Port()))
}

// nextPort begins anywhere below the ports that the system gives out by itself (from 32768 on
// Linux, from 49152 elsewhere).
var nextPort = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(12000))
	return &n
}()

// closedPort is one that nobody listens on. No two scripts get the same one: a script that
// connects to its own would reach the service of another.
func closedPort(ts *testscript.TestScript) int {
	for {
		port := 20000 + int(nextPort.Add(1)%12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		ts.Check(err)
		ts.Check(l.Close())
		return port
	}
}

func smtpOptions(ts *testscript.TestScript, args []string) (o smtptest.Options, down bool) {
	at, to, from := map[string]string{}, map[string]string{}, map[string]string{}
	for i := 0; i < len(args); i++ {
		need := func(n int) {
			if i+n >= len(args) {
				ts.Fatalf("smtpserver: %s wants %d arguments", args[i], n)
			}
		}
		switch args[i] {
		case "-at", "-to", "-from":
			need(2)
			map[string]map[string]string{"-at": at, "-to": to, "-from": from}[args[i]][args[i+1]] = special(args[i+2])
			i += 2
		case "-login":
			need(1)
			login, password, _ := strings.Cut(args[i+1], ":")
			o.Users = map[string]string{login: password}
			i++
		case "-token":
			need(1)
			login, token, _ := strings.Cut(args[i+1], ":")
			o.Tokens = map[string]string{login: token}
			i++
		case "-dsn":
			o.DSN = true
		case "-clear":
			o.ClearLogin = true
		case "-tls", "-implicit":
			ca := authority()
			o.TLS, o.Implicit = ca.TLS(tb{ts}), args[i] == "-implicit"
			ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), ca.PEM(), 0o644))
		case "-down":
			down = true
		default:
			ts.Fatalf("smtpserver: unknown option %s", args[i])
		}
	}
	o.Reply = func(stage, line string) string {
		addresses := map[string]map[string]string{"RCPT": to, "MAIL": from}[stage]
		for address, reply := range addresses {
			if strings.Contains(line, "<"+address+">") {
				return reply
			}
		}
		return at[stage]
	}
	return o, down
}

// authority signs the certificates of all scripts' servers.
var authority = sync.OnceValue(func() *smtptest.CA { return smtptest.NewCA(tb{}) })

// tb makes a script what smtptest wants of a test.
type tb struct{ ts *testscript.TestScript }

func (t tb) Helper()                           {}
func (t tb) Cleanup(f func())                  { t.ts.Defer(f) }
func (t tb) Logf(format string, args ...any)   { t.ts.Logf(format, args...) }
func (t tb) Errorf(format string, args ...any) { t.Fatalf(format, args...) }
func (t tb) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func special(reply string) string {
	switch reply {
	case "drop":
		return smtptest.Drop
	case "silent":
		return smtptest.Silent
	}
	return reply
}

// serverOf is a running server by its name.
func serverOf(ts *testscript.TestScript, name string) *smtptest.Server {
	servers := serversOf(ts)
	servers.mu.Lock()
	defer servers.mu.Unlock()
	s := servers.name[name]
	if s == nil {
		ts.Fatalf("there is no server %s", name)
	}
	return s
}

// awaits NAME COMMAND waits until another process has sent the server an SMTP command since
// the last awaits.
func awaits(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts, args[0])
	until(ts, "server "+args[0]+" is sent "+args[1], func() bool {
		commands := s.Commands()
		sent := slices.ContainsFunc(commands[seen(ts, args[0], 0):], func(command string) bool { return strings.HasPrefix(command, args[1]) })
		if sent {
			seen(ts, args[0], len(commands))
		}
		return sent
	})
}

// seen is how many of a server's commands earlier awaits have passed; n > 0 sets it.
func seen(ts *testscript.TestScript, name string, n int) int {
	if n > 0 {
		ts.Setenv(name+"_seen", strconv.Itoa(n))
	}
	n, _ = strconv.Atoi(ts.Getenv(name + "_seen"))
	return n
}

// received NAME writes what the server took: NAME/1.eml with LF line ends, and
// NAME/1.env, the envelope. NAME/count is how many there are, NAME/commands what it was sent.
func received(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts, args[0])
	dir := ts.MkAbs(args[0])
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.MkdirAll(dir, 0o755))
	write := func(name, text string) {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	messages := s.Messages()
	for i, m := range messages {
		var envelope strings.Builder
		fmt.Fprintf(&envelope, "from <%s>\n", m.Sender)
		for _, to := range m.Recipients {
			fmt.Fprintf(&envelope, "to <%s>\n", to)
		}
		write(fmt.Sprintf("%d.env", i+1), envelope.String())
		write(fmt.Sprintf("%d.eml", i+1), strings.ReplaceAll(string(m.Data), "\r\n", "\n"))
	}
	write("commands", strings.Join(s.Commands(), "\n")+"\n")
	write("count", fmt.Sprintf("%d\n", len(messages)))
}
