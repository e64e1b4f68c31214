package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/config"
	"notices/spool/smtptest"
)

// person sits at a terminal on which a program runs.
type person struct {
	t       *testing.T
	cmd     *exec.Cmd
	control *os.File
	home    string
	gone    chan struct{}

	mu     sync.Mutex
	screen bytes.Buffer
	read   int // how much of the screen was looked at
}

// sit starts `notices ARGS...` on a terminal of 80 columns.
func sit(t *testing.T, home string, args ...string) *person {
	t.Helper()
	control, tty, err := fakesite.OpenTerminal(80)
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("notices")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, control: control, home: home, gone: make(chan struct{}), cmd: exec.Command(program, args...)}
	p.cmd.Args[0] = "notices"
	p.cmd.Dir = home
	p.cmd.Env = append(environment(home), "PATH="+os.Getenv("PATH"), "TERM=xterm", "SSL_CERT_FILE="+filepath.Join(home, "ca.pem"))
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	go p.watch()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		control.Close()
	})
	return p
}

// watch keeps what the terminal shows, until the last writer has gone.
func (p *person) watch() {
	defer close(p.gone)
	b := make([]byte, 4096)
	for {
		n, err := p.control.Read(b)
		p.mu.Lock()
		p.screen.Write(b[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// shown is what came since it was last looked at, without colours.
func (p *person) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(p.screen.String()[p.read:], "")
}

// sees waits for a text that another process writes.
func (p *person) sees(text string) {
	p.t.Helper()
	if !await(func() bool { return strings.Contains(p.shown(), text) }) {
		p.t.Fatalf("%q does not come; the screen since:\n%s", text, p.shown())
	}
}

// answers waits for a question and types.
func (p *person) answers(question, keys string) {
	p.t.Helper()
	p.sees(question)
	p.mu.Lock()
	p.read = p.screen.Len()
	p.mu.Unlock()
	if _, err := p.control.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the program's end and returns its exit code.
func (p *person) ends() int {
	p.t.Helper()
	err := p.cmd.Wait()
	<-p.gone
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *person) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// site answers the first questions.
func (p *person) site() {
	p.t.Helper()
	p.answers("Name of your library or school: ", "Springfield \"Public\" Library\n")
	p.answers("sender of its mail: ", "library\n")
	p.answers("It must be one e-mail address", "library@example.org\n")
}

// A library is set up: a password that is wrong at first, a second server without TLS,
// and at the end files that the other commands are content with.
func TestInitDialogue(t *testing.T) {
	home := t.TempDir()
	ca := smtptest.NewCA(t)
	if err := os.WriteFile(filepath.Join(home, "ca.pem"), ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	one := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: map[string]string{"library": "Geh#eim & more"}})
	two := smtptest.New(t, smtptest.Options{})

	p := sit(t, home, "init")
	p.site()
	p.answers("Number [1]: ", "\n")
	p.answers("Its name or IP address: ", "mail.example.org:25\n")
	p.answers("without a port", "127.0.0.1\n")
	p.answers(" [587]: ", portOf(one)+"\n")
	p.answers("Does TLS begin with the connection there", "\n")
	p.answers("User name there (- if it needs none) [-]: ", "library\n")
	p.answers("Password", "Geheim-1\n")
	p.answers("Test server 1 now?", "\n")
	p.sees("Check the password.")
	p.answers("Number [1]: ", "\n") // change the answers
	p.answers("Number [1]: ", "\n") // the same way
	p.answers("[127.0.0.1]: ", "\n")
	p.answers("["+portOf(one)+"]: ", "\n")
	p.answers("[no]: ", "\n")
	p.answers("[library]: ", "\n")
	p.answers("Enter: the same): ", "Geh#eim & more\n")
	p.answers("Test server 1 now? A test message goes to library@example.org. [yes]: ", "y\n")
	p.sees("Server 1 works.")
	p.answers("A further server, for when the others fail? [no]: ", "yes\n")
	p.answers("Number [1]: ", "1\n")
	p.answers("Its name or IP address: ", "localhost\n")
	p.answers(" [587]: ", portOf(two)+"\n")
	p.answers("[no]: ", "no\n")
	p.answers(" [-]: ", "\n")
	p.answers("Test server 2 now?", "\n")
	p.answers("4  use it without verified TLS", "4\n")
	p.sees("Server 2 works.")
	p.answers("A further server", "no\n")
	p.sees("* * * * * ")
	if code := p.ends(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	if strings.Contains(p.all(), "Geh") {
		t.Errorf("a password is on the screen:\n%s", p.all())
	}
	if len(one.Messages()) != 1 || len(two.Messages()) != 1 {
		t.Errorf("%d and %d test messages", len(one.Messages()), len(two.Messages()))
	}
	checkSetUp(t, home)
}

func portOf(s *smtptest.Server) string { return strconv.Itoa(s.Port()) }

// checkSetUp looks at what TestInitDialogue wrote.
func checkSetUp(t *testing.T, home string) {
	t.Helper()
	dir := filepath.Join(home, ".config", "notices")
	wantFiles(t, dir, "notices.toml", "server1.password")
	c, err := config.Load(filepath.Join(dir, "notices.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Site.Name != `Springfield "Public" Library` || c.Site.Address != "library@example.org" || len(c.Servers) != 2 ||
		c.Servers[0].AllowNonSecure || c.Servers[0].Login != "library" || !c.Servers[1].AllowNonSecure || c.Servers[1].Host != "localhost" {
		t.Errorf("%+v", c)
	}
	if secret, err := c.Servers[0].Password.Read(t.Context()); err != nil || secret != "Geh#eim & more" {
		t.Errorf("password %q, %v", secret, err)
	}
	program, err := exec.LookPath("notices")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "check")
	cmd.Args[0], cmd.Env = "notices", environment(home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("notices check: %v\n%s", err, out)
	}
}

// wantFiles: these and no others are in the folder, secrets for their owner alone.
func wantFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && len(names) > 0 {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
		if !strings.HasSuffix(e.Name(), ".password") {
			continue
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if strings.Join(found, " ") != strings.Join(names, " ") {
		t.Errorf("%s has %v, want %v", dir, found, names)
	}
}

// Ctrl-C, wherever it comes, leaves nothing behind, and a terminal that shows what is
// typed.
func TestInitStopped(t *testing.T) {
	for _, at := range []string{"Name of your library", "Number [1]: ", "Password"} {
		home := t.TempDir()
		p := sit(t, home, "init")
		if at != "Name of your library" {
			p.site()
		}
		if at == "Password" {
			p.answers("Number [1]: ", "9\n")
			p.answers("[library@example.org]: ", "\n")
		}
		p.answers(at, "\x03")
		p.sees("stopped; nothing was written")
		if code := p.ends(); code != app.ExitTryLater {
			t.Errorf("at %q: exit %d", at, code)
		}
		wantFiles(t, home)
	}
}

// A config that is there is not written over, unless that is said, and then it is kept.
func TestInitAsksBeforeItReplaces(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "notices")
	path := filepath.Join(dir, "notices.toml")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := sit(t, home, "init")
	p.answers("it is now is kept beside it. [yes]: ", "n\n")
	if code := p.ends(); code != app.ExitCannotMake {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(p.all(), "?of it") {
		t.Errorf("a line break is shown as a question mark:\n%s", p.all())
	}
	wantFiles(t, dir, "notices.toml")

	p = sit(t, home, "init")
	p.answers("[yes]: ", "maybe\n")
	p.answers("It must be yes or no.", "y\n")
	p.site()
	p.answers("Number [1]: ", "2\n") // Google
	p.answers("Client ID", "1234.apps.example\n")
	p.answers("client's secret", "\n")
	p.answers("A further server", "\n")
	p.sees("google-login")
	if code := p.ends(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	wantFiles(t, dir, "notices.toml", "notices.toml.old")
	old, err := os.ReadFile(path + ".old")
	if err != nil || string(old) != "# mine\n" {
		t.Errorf("the old one: %q, %v", old, err)
	}
	c, err := config.Load(path)
	if err != nil || c.Delivery.Via != config.ViaGoogle || c.Google.ClientID != "1234.apps.example" || len(c.Servers) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// again is a configuration with more in it than init asks for.
const again = `# the office's
[site]
name = "Old Library" # since 1901
address = "library@example.org"
hostname = "desk.example.org"

[[server]] # the town's
host = "127.0.0.1"
port = %s
allow_non_secure = true
rate_per_day = 400 # they said so

[[server]]
preset = "gmail"
login = "library@gmail.com"
password_file = "gmail.password"

[retry]
give_up = "50h"
`

// A second run starts from what is there: Enter all the way changes nothing, and what is
// changed leaves the rest, comments and passwords too.
func TestInitAgain(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "notices")
	path := filepath.Join(dir, "notices.toml")
	one := smtptest.New(t, smtptest.Options{})
	text := strings.Replace(again, "%s", portOf(one), 1)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"notices.toml": text, "gmail.password": "app password\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() *person {
		p := sit(t, home, "init")
		p.answers("[yes]: ", "\n")
		p.answers("[Old Library]: ", "\n")
		p.answers("[library@example.org]: ", "\n")
		p.answers("Server 1 is 127.0.0.1, port "+portOf(one)+".", "\n")
		return p
	}
	end := func(p *person, want string) {
		t.Helper()
		p.answers("A further server", "\n")
		p.sees("notices.toml is written.")
		if code := p.ends(); code != 0 {
			t.Fatalf("exit %d:\n%s", code, p.all())
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%v: there is\n%s\nwant\n%s", err, got, want)
		}
	}
	p := begin()
	p.answers("Server 2 is Gmail or Google Workspace, with an app password, login library@gmail.com.", "\n")
	end(p, text)

	p = begin()
	p.answers("Server 2 is", "2\n")
	p.answers("Number [3]: ", "\n")
	p.answers("[library@gmail.com]: ", "town@gmail.com\n")
	p.answers("Enter: the same): ", "\n")
	p.answers("Test server 2 now?", "n\n")
	end(p, strings.Replace(text, "library@gmail.com", "town@gmail.com", 1))
	wantFiles(t, dir, "gmail.password", "notices.toml", "notices.toml.old", "notices.toml.old-2")

	// A command that prints tokens gives way to a password; what has none is told again.
	if err := os.WriteFile(path, []byte(strings.Replace(text, `password_file = "gmail.password"`, `token_command = "false"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p = begin()
	p.answers("Server 2 is", "2\n")
	p.answers("Number [3]: ", "\n")
	p.answers("[library@gmail.com]: ", "\n")
	p.answers("Enter: the same): ", "app password\n")
	p.answers("Test server 2 now?", "n\n")
	end(p, strings.Replace(text, "gmail.password", filepath.Join(dir, "server2.password"), 1))

	if err := os.WriteFile(path, []byte(strings.Replace(text, "password_file = \"gmail.password\"\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p = begin()
	p.answers("Server 2 is Gmail", "\n")
	p.answers("A further server", "\n")
	p.sees("give server 2 its password")
	p.ends()
}

// A password file that is corrected while init waits is read again for the next test.
func TestInitReadsThePasswordAgain(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "notices")
	ca := smtptest.NewCA(t)
	one := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: map[string]string{"library": "right"}})
	text := "[site]\nname = \"Library\"\naddress = \"library@example.org\"\n[[server]]\nhost = \"127.0.0.1\"\nport = " + portOf(one) +
		"\nlogin = \"library\"\npassword_file = \"password\"\n"
	password := filepath.Join(dir, "password")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(home, "ca.pem"): string(ca.PEM()), filepath.Join(dir, "notices.toml"): text, password: "wrong\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := sit(t, home, "init")
	p.answers("[yes]: ", "\n")
	p.answers("[Library]: ", "\n")
	p.answers("[library@example.org]: ", "\n")
	p.answers("Server 1 is 127.0.0.1", "2\n")
	p.answers("Number [1]: ", "\n")
	p.answers("[127.0.0.1]: ", "\n")
	p.answers("["+portOf(one)+"]: ", "\n")
	p.answers("Does TLS begin with the connection there", "no\n")
	p.answers("[library]: ", "\n")
	p.answers("Enter: the same): ", "\n")
	p.answers("Test server 1 now?", "\n")
	p.sees("It did not work. What now?")
	if err := os.WriteFile(password, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.answers("keep it as it is", "2\n")
	p.answers("A further server", "\n")
	p.sees("notices.toml is written.")
	if code := p.ends(); code != 0 || len(one.Messages()) != 1 {
		t.Errorf("exit %d, %d messages:\n%s", code, len(one.Messages()), p.all())
	}
}

// What failed its test, and was kept as it is, is told at the end, the backup too; and TLS
// from the start is to be had at any port.
func TestInitTellsWhatFailed(t *testing.T) {
	home := t.TempDir()
	ca := smtptest.NewCA(t)
	if err := os.WriteFile(filepath.Join(home, "ca.pem"), ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	one := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Implicit: true})
	two := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Reply: func(stage, _ string) string {
		if stage == "connect" {
			return "554 5.3.2 nobody at home"
		}
		return ""
	}})
	p := sit(t, home, "init")
	p.site()
	server := func(n, port, implicit string) {
		p.answers("Number [1]: ", "\n")
		p.answers("Its name or IP address: ", "127.0.0.1\n")
		p.answers(" [587]: ", port+"\n")
		p.answers("Does TLS begin with the connection there", implicit+"\n")
		p.answers(" [-]: ", "\n")
		p.answers("Test server "+n+" now?", "\n")
	}
	server("1", portOf(one), "yes")
	p.answers("A further server", "y\n")
	server("2", portOf(two), "no")
	p.answers("keep it as it is", "3\n")
	p.answers("A further server", "no\n")
	p.sees("The test of server 2 failed: 554 5.3.2 nobody at home")
	if code := p.ends(); code != 0 || strings.Contains(p.all(), "Server 1 failed") {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	p = sit(t, home, "status")
	p.sees("nobody at home")
	p.ends()
	if strings.Contains(p.all(), "All is well") {
		t.Errorf("status says\n%s", p.all())
	}
	c, err := config.Load(filepath.Join(home, ".config", "notices", "notices.toml"))
	if err != nil || c.Servers[0].TLS != config.Implicit || c.Servers[1].TLS != config.StartTLS || len(one.Messages()) != 1 {
		t.Errorf("%+v, %v, %d messages", c, err, len(one.Messages()))
	}
}

// What init says to run works from any folder, as cron starts in another one: the program
// and a config that was named from here are told with their whole paths.
func TestInitTellsWholePaths(t *testing.T) {
	home := t.TempDir()
	p := sit(t, home, "--config", "my site/50%.toml", "init")
	p.site()
	p.answers("Number [1]: ", "2\n") // Google
	p.answers("Client ID", "1234.apps.example\n")
	p.answers("client's secret", "\n")
	p.answers("A further server", "\n")
	p.sees("notice.eml")
	if code := p.ends(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	program, err := exec.LookPath("notices")
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range []string{
		"* * * * * " + program + " --config '" + home + "/my site/50\\%.toml' flush",
		"notices --config '" + home + "/my site/50%.toml' check",
	} {
		if !strings.Contains(p.all(), told) {
			t.Errorf("%s is not told:\n%s", told, p.all())
		}
	}
}

// A sign-in beside a server is one of the servers; a password may come later.
func TestInitAccountAndPreset(t *testing.T) {
	home := t.TempDir()
	p := sit(t, home, "init")
	p.site()
	p.answers("Number [1]: ", "4\n") // Microsoft
	p.answers("Client ID", "secret.json\n")
	p.answers("A further server", "y\n")
	p.answers("Number [1]: ", "7\n") // SendGrid
	p.answers("[apikey]: ", "\n")
	p.answers("Password", "\n")
	p.answers("A further server", "n\n")
	p.sees("give server 2 its password")
	if code := p.ends(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	for line := range strings.Lines(p.all()) {
		if n := len([]rune(strings.TrimRight(regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(line, ""), "\r\n"))); n > 80 && !strings.Contains(line, home) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	path := filepath.Join(home, ".config", "notices", "notices.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(path, text)
	if err != nil || len(c.Servers) != 2 || c.Servers[0].Auth != config.AuthMicrosoft || c.Servers[1].Preset != "sendgrid" ||
		c.Servers[1].Login != "apikey" || !c.Microsoft.ClientSecretFile.IsSet() {
		t.Errorf("%+v, %v", c, err)
	}
}

// A server whose certificate no authority vouches for: the dialogue asks for the certificate, and tests
// again with it, before any file is written.
func TestInitPrivateCA(t *testing.T) {
	home := t.TempDir()
	ca := smtptest.NewCA(t)
	if err := os.WriteFile(filepath.Join(home, "own.pem"), ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	one := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Implicit: true})
	p := sit(t, home, "init")
	p.site()
	p.answers("Number [1]: ", "\n")
	p.answers("Its name or IP address: ", "127.0.0.1\n")
	p.answers(" [587]: ", portOf(one)+"\n")
	p.answers("Does TLS begin with the connection there", "yes\n")
	p.answers(" [-]: ", "\n")
	p.answers("Test server 1 now?", "\n")
	p.answers("name a file with the certificate", "5\n")
	p.answers("The file with its certificate", "own.pem\n")
	p.answers("A further server", "no\n")
	if code := p.ends(); code != 0 || len(one.Messages()) != 1 {
		t.Fatalf("exit %d, %d messages:\n%s", code, len(one.Messages()), p.all())
	}
	c, err := config.Load(filepath.Join(home, ".config", "notices", "notices.toml"))
	if err != nil || len(c.Servers) != 1 || c.Servers[0].CAFile != filepath.Join(home, "own.pem") || c.Servers[0].AllowNonSecure {
		t.Errorf("%+v, %v", c, err)
	}
}

// A service needs a name, a site and a key, and no server of its own.
func TestInitService(t *testing.T) {
	home := t.TempDir()
	ca := smtptest.NewCA(t)
	if err := os.WriteFile(filepath.Join(home, "own.pem"), ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	one := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Implicit: true, Users: map[string]string{"springfield": "31337-key"}})
	p := sit(t, home, "init")
	p.site()
	p.answers("Number [1]: ", "10\n")
	p.answers("The name of the service", "https://submit.service.example\n")
	p.answers("The name of the service", one.Host()+"\n")
	p.answers("Its port [465]: ", strconv.Itoa(one.Port())+"\n")
	p.answers("Does TLS begin with the connection there", "\n")
	p.answers("The name of your site there", "spring field\n")
	p.answers("The name of your site there", "springfield\n")
	p.answers("Its key", "31337-wrong\n")
	p.answers("Test the service now?", "\n")
	p.sees("issued by")
	p.answers("Number [1]: ", "4\n")
	p.answers("The file with its certificate", "nowhere.pem\n")
	p.answers("The file with its certificate", "own.pem\n")
	p.sees("Check site and key_file in [service]")
	p.answers("Number [1]: ", "1\n") // change the answers
	p.answers("Number [10]: ", "\n")
	p.answers("The name of the service", "\n")
	p.answers("Its port ", "\n")
	p.answers("Does TLS begin", "\n")
	p.answers("The name of your site there", "\n")
	p.answers("Its key", "31337-key\n")
	p.answers("Test the service now?", "\n")
	p.sees("The service works.")
	p.sees("has the site's key; only")
	if code := p.ends(); code != 0 || strings.Contains(p.all(), "31337") || strings.Contains(p.all(), "further server") {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	path := filepath.Join(home, ".config", "notices", "notices.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(path, text)
	if err != nil || c.Delivery.Via != config.ViaService || len(c.Servers) != 0 || c.Service.Host != one.Host() || c.Service.Site != "springfield" || c.Service.Port != one.Port() ||
		c.Service.TLS != config.Implicit || c.Service.CAFile != filepath.Join(home, "own.pem") {
		t.Fatalf("%+v, %v\n%s", c, err, text)
	}
	if key, err := c.Service.Key.Read(t.Context()); key != "31337-key" || err != nil {
		t.Errorf("key %q, %v", key, err)
	}
}
