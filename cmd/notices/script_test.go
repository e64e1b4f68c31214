package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/cmd/internal/app"
	"notices/config"
)

// The scripts in testdata/script run the program as its users do. Each tells a user story, or
// goes through a folder of mistakes. What they can do beyond testscript:
//
//	exits CODE COMMAND...       runs it and wants that exit code
//	subst FILE...               puts environment variables in their places
//	id NAME                     keeps the id that enqueue just printed in $NAME
//	smtpserver NAME [OPTION...] starts a server (smtp_test.go); its port is in $NAME
//	awaits NAME COMMAND         waits until it was sent that SMTP command
//	received NAME               writes what it was sent to NAME/1.eml, NAME/1.env...
//	dnsserver FILE              starts one that has the records of a zone file (dns_test.go)
//	fetch CODE URL              prints what is there (fetch_test.go)
//	keys TEXT                   wants exactly these keys in JSON (json_test.go)
//	terminal WIDTH COMMAND...   runs it on a terminal (terminal_test.go)
//	nobody COMMAND...           runs it as another user than root; must fail
//	mount SIZE DIR              mounts a small disk there
//	remount ro|rw DIR
//
// What they do with the spool, be it a folder or a database (database_peers_test.go):
//
//	emptied                     takes everything out of it
//	removeall                   removes all messages, as a user does
//	bodies                      prints the messages that wait in it
//	stored FILE                 writes all that it holds into a file
//	claimsend                   ends the claims of killed processes
//
// The condition [folder] holds if the spool is a folder, and not a database. A story that begins
// with "# Folder only: " and the reason is told of a folder alone.
func TestScripts(t *testing.T) { testscript.Run(t, scriptParams()) }

func scriptParams() testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Condition:           func(string) (bool, error) { return true, nil }, // folder
		Cmds:                scriptCommands(),
	}
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	commands := serveCommands()
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"exits":      exits,
		"subst":      subst,
		"id":         keepID,
		"smtpserver": smtpServer,
		"received":   received,
		"awaits":     awaits,
		"dnsserver":  dnsServer,
		"fetch":      fetch,
		"keys":       jsonKeys,
		"terminal":   onTerminal,
		"nobody":     asNobody,
		"mount":      mount,
		"remount":    remount,
		"removeall":  removeAll,
		"emptied":    func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(os.RemoveAll(ts.MkAbs("spool"))) },
		"bodies":     func(ts *testscript.TestScript, _ bool, _ []string) { printFiles(ts, ts.Stdout(), "spool/cur/[^.]*") },
		"stored":     func(ts *testscript.TestScript, _ bool, args []string) { storedFiles(ts, args[0]) },
		"claimsend":  func(*testscript.TestScript, bool, []string) {}, // they ended with their process
	})
	return commands
}

// TestMain makes the test binary the program itself when it is called as notices, or
// by one of the names that the program goes by. The tests find no config but their own.
func TestMain(m *testing.M) {
	testscript.Main(isolated{m}, map[string]func(){
		"notices": testedMain, "sendmail": testedMain, "mailq": testedMain, "newaliases": testedMain,
	})
}

// isolated runs tests in an environment without the configuration of who runs them.
type isolated struct{ m *testing.M }

func (i isolated) Run() int {
	home, err := os.MkdirTemp("", "notices-home-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(home)
	for _, name := range []string{"NOTICES_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		os.Unsetenv(name)
	}
	// The go command, which some tests run, has its cache in the home of who runs them.
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		if out, err := exec.Command("go", "env", name).Output(); err == nil {
			os.Setenv(name, strings.TrimSpace(string(out)))
		}
	}
	os.Setenv("HOME", home)
	os.Setenv("NOTICES_ALIASES", filepath.Join(home, "aliases"))
	systemIn(home)
	return i.m.Run()
}

// systemIn has the system's places in a folder.
func systemIn(dir string) {
	config.SystemFile = filepath.Join(dir, "etc", "notices.toml")
	config.SystemSpool = filepath.Join(dir, "var", "spool")
}

// environment is that of a program that a test runs: a home of its own, where all that it
// finds by default lies. testedMain runs in no other one.
func environment(home string) []string {
	return []string{
		"HOME=" + home,
		"XDG_CONFIG_HOME=" + filepath.Join(home, ".config"), // init of root's writes elsewhere without it
		"NOTICES_ALIASES=" + filepath.Join(home, "aliases"),
		"TEMPORARY=" + os.TempDir(),
		"GORACE=atexit_sleep_ms=0", // else each process of a -race test sleeps for a second
	}
}

// outside names a place where this process would look for a config, a spool or aliases
// and that is not in a temporary folder of a test; empty if all are.
func outside() string {
	places := map[string]string{"the system's config": config.SystemFile, "the system's spool": config.SystemSpool}
	for _, name := range []string{"HOME", "NOTICES_ALIASES", "NOTICES_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		places[name] = os.Getenv(name)
	}
	if places["HOME"] == "" || places["NOTICES_ALIASES"] == "" || os.Getenv("TEMPORARY") == "" {
		return "an environment that is not of the test's environment()"
	}
	for name, place := range places {
		if filepath.IsAbs(place) && !strings.HasPrefix(place, os.Getenv("TEMPORARY")+"/") {
			return name + " = " + place
		}
	}
	return ""
}

// testedMain is main with a clock that a script can set: $CLOCK is a length of
// time by which it is ahead, or behind after a minus sign; and with its DNS server at $DNS. It
// does not run where it could find what is not the test's.
func testedMain() {
	systemIn(os.Getenv("HOME"))
	if place := outside(); place != "" {
		fmt.Fprintln(os.Stderr, "a test could reach what is not its own:", place)
		os.Exit(99)
	}
	a := newCLI()
	clock, isBehind := strings.CutPrefix(os.Getenv("CLOCK"), "-")
	if ahead, ok := config.ParseDuration(clock); ok {
		if isBehind {
			ahead = -ahead
		}
		a.Now = func() time.Time { return time.Now().Add(ahead) }
	}
	a.Host.LookupTXT = testResolver(os.Getenv("DNS")).LookupTXT
	os.Exit(a.run(app.Arguments(os.Args)))
}

// setUp gives each script a home and a site of its own.
func setUp(env *testscript.Env) error {
	env.Vars = append(env.Vars, environment(env.WorkDir)...)
	env.Setenv("NOTICES_CONFIG", filepath.Join(env.WorkDir, "notices.toml"))
	env.Setenv("TZ", "UTC")
	return os.Chmod(env.WorkDir, 0o755)
}

// exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	if got := codeOf(ts, err); got != want {
		ts.Fatalf("%s ended with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

func codeOf(ts *testscript.TestScript, err error) int {
	if err == nil {
		return app.ExitOK
	}
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	return exit.ExitCode()
}

// subst FILE... puts environment variables in their places.
func subst(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), func(key string) string {
			if value := ts.Getenv(key); value != "" {
				return value
			}
			return "$" + key
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// keepID NAME keeps the queue id on standard output in a variable.
func keepID(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// asNobody COMMAND... runs it without root's rights.
func asNobody(ts *testscript.TestScript, neg bool, args []string) {
	const nobody = "65534"
	program, err := exec.LookPath("notices")
	ts.Check(err)
	for _, dir := range []string{filepath.Dir(program), filepath.Dir(filepath.Dir(program)), filepath.Dir(ts.Getenv("WORK"))} {
		ts.Check(os.Chmod(dir, 0o755)) // they are private temporary folders
	}
	err = ts.Exec("setpriv", append([]string{"--reuid", nobody, "--regid", nobody, "--clear-groups"}, args...)...)
	if (err != nil) == neg {
		return
	}
	ts.Fatalf("as nobody: %v", err)
}

// removeAll removes all messages.
func removeAll(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Exec("notices", "list", "--json"))
	var list []struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	args := []string{"remove"}
	for _, m := range list {
		args = append(args, m.ID)
	}
	ts.Check(ts.Exec("notices", args...))
}

// printFiles writes what is in files.
func printFiles(ts *testscript.TestScript, w io.Writer, pattern string) {
	names, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		ts.Check(err)
		_, err = w.Write(text)
		ts.Check(err)
	}
}

// storedFiles writes what is in the files of the folder, and their names, into one file.
func storedFiles(ts *testscript.TestScript, to string) {
	var all strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs("spool"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		fmt.Fprintf(&all, "%s:\n%s\n", name, text)
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(to), []byte(all.String()), 0o600))
}
