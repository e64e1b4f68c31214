package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/smtptest"
)

// pair writes a certificate for 127.0.0.1, and its key.
func pair(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	return smtptest.Files(t, smtptest.NewCA(t).TLS(t), dir)
}

// serial tells certificates apart.
func serial(t *testing.T, c *Certificate) string {
	t.Helper()
	got, err := c.Config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.Leaf.SerialNumber.String() + got.Leaf.NotBefore.String() + string(got.Leaf.Signature)
}

func TestCertificateIsReadAnew(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir)
	c, err := LoadCertificate(cert, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	log := maillog.New(&text, maillog.All)
	c.check(log)
	first := serial(t, c)

	// First the certificate is replaced, then the key: between them nothing is said.
	oldKey, _ := os.ReadFile(key)
	pair(t, dir)
	newKey, _ := os.ReadFile(key)
	os.WriteFile(key, oldKey, 0o600)
	c.check(log)
	os.WriteFile(key, newKey, 0o600)
	os.Chtimes(key, time.Time{}, time.Now().Add(time.Second))
	c.check(log)
	if serial(t, c) != first || text.Len() > 0 {
		t.Errorf("read before it was whole: %s", &text)
	}
	c.check(log)
	second := serial(t, c)
	if second == first || text.Len() > 0 {
		t.Errorf("not reloaded: %s", &text)
	}

	// What cannot be used does not replace what can, and that is said once.
	os.WriteFile(cert, []byte("no certificate"), 0o600)
	for range 4 {
		c.check(log)
	}
	if serial(t, c) != second || strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), "the previous one stays in use") {
		t.Errorf("a wrong certificate: %s", &text)
	}
	if err := c.Use(cert, key); err == nil || serial(t, c) != second {
		t.Errorf("used at once: %v", err)
	}
	pair(t, dir)
	c.check(log)
	c.check(log)
	if serial(t, c) == second {
		t.Error("it was not read when it could be used again")
	}
}

// TestEndedCertificate: one that has ended does not replace one that has not.
func TestEndedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, dir)
	now := time.Now()
	c, err := LoadCertificate(cert, key, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	now = c.Ends().Add(time.Hour)
	if err := c.Use(cert, key); err == nil || !strings.Contains(err.Error(), "it ended on") {
		t.Errorf("%v", err)
	}
	if _, err := LoadCertificate(cert, key, c.now); err != nil {
		t.Errorf("better an ended one than none: %v", err)
	}
}

func configOf(change func(*config.Serve)) *config.Config {
	c := &config.Config{Path: "notices.toml"}
	change(&c.Serve)
	return c
}

func socket(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestListen(t *testing.T) {
	busy := socket(t).Addr().String()
	none := map[string][]net.Listener{}
	for name, c := range map[string]struct {
		change func(*config.Serve)
		code   int
		words  string
	}{
		"nothing":       {func(*config.Serve) {}, app.ExitConfig, "there is nothing to listen on"},
		"in use":        {func(s *config.Serve) { s.ListenTLS = []string{busy} }, app.ExitUnavailable, "is in use by another program; to see which, run: ss -ltnp"},
		"not ours":      {func(s *config.Serve) { s.ListenTLS = []string{"192.0.2.1:4650"} }, app.ExitUnavailable, "does not have that address"},
		"a second time": {func(s *config.Serve) { s.ListenTLS = []string{"127.0.0.1:0"}; s.ListenHTTPS = []string{busy} }, app.ExitUnavailable, "listen_https"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := listen(configOf(c.change), none)
			if err == nil || app.ExitCode(err) != c.code || !strings.Contains(err.Error(), c.words) {
				t.Errorf("exit %d, %v", app.ExitCode(err), err)
			}
			l.Close()
		})
	}
	l, err := listen(configOf(func(s *config.Serve) { s.ListenTLS, s.ListenMetrics = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"} }), none)
	if err != nil || len(l[TLS]) != 1 || len(l[Metrics]) != 1 {
		t.Errorf("%v, %v", l, err)
	}
	l.Close()
}

// TestInherit: sockets of systemd are known by their names or by the port in the config, and take
// the place of those that the config names.
func TestInherit(t *testing.T) {
	named, byPort, unknown := socket(t), socket(t), socket(t)
	port := port(byPort.Addr().String())
	cfg := configOf(func(s *config.Serve) {
		s.ListenTLS, s.ListenSTARTTLS = []string{"127.0.0.1:0"}, []string{"0.0.0.0:" + port}
	})
	l, err := listen(cfg, map[string][]net.Listener{"https": {named}, "notices-serve.socket": {byPort}})
	if err != nil || len(l[HTTPS]) != 1 || len(l[StartTLS]) != 1 || l[StartTLS][0] != byPort || len(l[TLS]) != 1 {
		t.Errorf("%v, %v", l, err)
	}
	l.Close()
	_, err = listen(cfg, map[string][]net.Listener{"notices-serve.socket": {unknown}})
	if app.ExitCode(err) != app.ExitConfig || !strings.Contains(err.Error(), "FileDescriptorName=") {
		t.Errorf("%v", err)
	}
}

// TestHealth: one trial serves all who ask for a while, and a disk that stalls keeps nobody waiting.
// It sleeps in the time of a synctest bubble, which passes at once.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var mu sync.Mutex
		tries, failure, takes := 0, error(nil), time.Duration(0)
		next := func(err error, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			failure, takes = err, d
		}
		h := NewHealth(func(context.Context) error {
			mu.Lock()
			tries++
			err, d := failure, takes
			mu.Unlock()
			time.Sleep(d)
			return err
		}, maillog.New(&log, maillog.All), time.Now)
		check := func(want error, wantTries int) {
			t.Helper()
			err := h.check()
			mu.Lock()
			defer mu.Unlock()
			if err != want || tries != wantTries {
				t.Errorf("%v after %d tries, want %v after %d", err, tries, want, wantTries)
			}
		}
		check(nil, 1)
		check(nil, 1) // just now
		time.Sleep(healthFresh)
		full := errors.New("no space left on device")
		next(full, 0)
		check(full, 2)
		time.Sleep(healthFresh)
		check(full, 3)
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("told %d times: %s", n, &log)
		}
		said := ""
		h.Say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
		next(nil, time.Minute)
		time.Sleep(healthFresh)
		for range 3 {
			if err := h.check(); err != errStalled {
				t.Errorf("a disk that stalls: %v", err)
			}
		}
		next(nil, 0)
		time.Sleep(time.Minute)
		answers := func(code int, text string) {
			t.Helper()
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil)); w.Code != code || w.Body.String() != text {
				t.Errorf("answered %d, %q", w.Code, w.Body)
			}
		}
		check(nil, 5)
		if !strings.HasPrefix(said, "mail can be taken again, after 1m") {
			t.Errorf("told %q", said)
		}
		answers(200, "ok\n")
		h.End()
		check(errEnding, 5)
		answers(503, "mail cannot be taken now\n")
	})
}

// TestHealthWatch: a database that goes away is noticed though nobody asks, and told with the next step, once.
func TestHealthWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		h := NewHealth(func(context.Context) error { return fmt.Errorf("%w: no connection", spool.ErrUnreachable) }, maillog.New(&log, maillog.All), time.Now)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		h.Watch(ctx)
		synctest.Wait()
		text := log.String()
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "while the database is away; sites keep theirs") || !strings.Contains(text, "run: notices check") {
			t.Errorf("told %q", text)
		}
	})
}

// TestSlowClients: who sends half a request, or half a body, is cut off.
func TestSlowClients(t *testing.T) {
	for request, limit := range map[string]time.Duration{
		"GET / HTTP/1.1\r\nHo": 10 * time.Second,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf": 20 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ours, theirs := net.Pipe()
			web := newWeb(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Error("the body came in whole")
				}
				w.WriteHeader(http.StatusRequestTimeout)
			}))
			defer web.Close()
			connections := make(pipes, 1)
			connections <- theirs
			go web.Serve(connections)
			io.WriteString(ours, request)
			io.Copy(io.Discard, ours) // until the server closes it
			if took := time.Since(began); took < limit || took > limit+time.Second {
				t.Errorf("%q: cut off after %v", request, took)
			}
		})
	}
}

// pipes is a listener for connections in memory, whose time is that of a synctest bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// desk is a Mail that greets.
type desk struct {
	mu     sync.Mutex
	open   []net.Listener
	closed bool
}

func (d *desk) ServeSTARTTLS(l net.Listener) error { return d.ServeTLS(l) }

func (d *desk) ServeTLS(l net.Listener) error {
	d.mu.Lock()
	d.open = append(d.open, l)
	d.mu.Unlock()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		io.WriteString(c, "220 hello\r\n")
		c.Close()
	}
}

func (d *desk) Shutdown(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, l := range d.open {
		l.Close()
	}
	return nil
}

// TestRun: it serves, reloads the config on SIGHUP, and ends on SIGTERM, with what it tells systemd.
func TestRun(t *testing.T) {
	told := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: told, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", told)
	awaits := func(want string) {
		t.Helper()
		buffer := make([]byte, 1000)
		n, _, err := systemd.ReadFromUnix(buffer)
		if err != nil || !strings.HasPrefix(string(buffer[:n]), want) {
			t.Fatalf("systemd was told %q (%v), not %s", buffer[:n], err, want)
		}
	}
	cert, key := pair(t, t.TempDir())
	c, err := LoadCertificate(cert, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l := Listeners{TLS: {socket(t)}, HTTPS: {socket(t)}, Metrics: {socket(t)}}
	signals, reloads, over := make(chan os.Signal), 0, make(chan error, 1)
	health := NewHealth(func(context.Context) error { return nil }, nil, time.Now)
	mail := &desk{}
	delivered := false
	go func() {
		over <- run(t.Context(), Options{
			Listeners: l, Certificate: c, Mail: mail, HTTPS: health, Health: health,
			Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") }),
			Deliver: func(ctx context.Context) { <-ctx.Done(); delivered = true },
			Reload:  func() { reloads++ },
		}, signals, func() {})
	}()
	awaits("READY=1")
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	for url, want := range map[string]string{"https://" + l[HTTPS][0].Addr().String() + "/healthz": "ok\n", "http://" + l[Metrics][0].Addr().String(): "up 1\n"} {
		resp, err := web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(text) != want {
			t.Errorf("%s: %q", url, text)
		}
	}
	signals <- syscall.SIGHUP
	awaits("RELOADING=1\nMONOTONIC_USEC=")
	awaits("READY=1")
	signals <- syscall.SIGTERM
	awaits("STOPPING=1")
	if err := <-over; err != nil || !delivered || !mail.closed || reloads != 1 {
		t.Errorf("%v, delivery ended: %v, mail ended: %v, %d reloads", err, delivered, mail.closed, reloads)
	}
}

// TestRunWithoutEnd: what does not end is left behind in time.
func TestRunWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		signals, stuck := make(chan os.Signal, 1), make(chan struct{})
		signals <- syscall.SIGTERM
		err := run(t.Context(), Options{Mail: &desk{}, Deliver: func(context.Context) { <-stuck }}, signals, func() {})
		if took := time.Since(began); err != nil || took > 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		close(stuck)
	})
}
