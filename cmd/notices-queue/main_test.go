package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool/intake"
)

// TestIsLean holds what this program does not link. The test cache knows when to run it
// again, because this test links the same.
func TestIsLean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(string(out))
	if len(list) < 50 {
		t.Fatalf("only %d packages: %v", len(list), list)
	}
	for _, linked := range list {
		for _, slow := range []string{
			"net/http", "log/syslog", "crypto", "flag", "regexp", "text/template", "html/template", "encoding/xml", "database/sql",
			"github.com/spf13", "github.com/emersion", "golang.org/x/oauth2",
			"notices/spool/route", "notices/spool/flush", "notices/spool/submission",
		} {
			if linked == slow || strings.HasPrefix(linked, slow+"/") {
				t.Errorf("cmd/notices-queue links %s", linked)
			}
		}
	}
}

// TestStartsAtOnce: a process takes in one message, so nothing of ours is made before main but a
// list of replacements. The compiler makes values like those of errors.New, not those of fmt.Errorf.
func TestStartsAtOnce(t *testing.T) {
	program := filepath.Join(t.TempDir(), "notices")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "init runtime @") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		pkg, _, _ := strings.Cut(strings.TrimPrefix(line, "init "), " @")
		if (pkg == "main" || strings.HasPrefix(pkg, "notices/")) && pkg != "notices/spool/intake/mailaddr" {
			t.Errorf("before main: %s", line)
		}
	}
}

// TestCommand: what is not certain is for the full program.
func TestCommand(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                     false,
		"enqueue a@example.net":                true,
		"-v --config /x.toml sendmail -t":      true,
		"--config=/x.toml version":             true,
		"--config sendmail sendmail":           true,
		"--config sendmail":                    false,
		"--config":                             false,
		"version --help":                       false,
		"--help":                               false,
		"enqueue --help":                       false,
		"enqueue -f":                           false,
		"enqueue -fa@example.net":              false,
		"enqueue -- a@example.net":             false,
		"enqueue --expires=soon a@example.net": false,
		"enqueue --expires=0 a@example.net":    false,
		"enqueue --verbose=false":              false,
		"enqueue -vf a@example.net":            false,
		"enqueue --unknown x":                  false,
		"flush":                                false,
		"sendmail -bp":                         false,
		"sendmail -bi":                         true,
		"sendmail -Z":                          false,
	} {
		if got := command(new(app.Program), strings.Fields(line)) != nil; got != want {
			t.Errorf("notices %s: %v, want %v", line, got, want)
		}
	}
}

// TestEnqueueOptions: options may stand before, between and behind the recipients.
func TestEnqueueOptions(t *testing.T) {
	sender := "library@example.org"
	empty := ""
	for line, want := range map[string]intake.Request{
		"a@example.net b@example.net":                                   {Recipients: []string{"a@example.net", "b@example.net"}},
		"-v a@example.net -f library@example.org --config /x.toml":      {Recipients: []string{"a@example.net"}, Sender: &sender},
		"--sender library@example.org --ref p=7 --verbose":              {Sender: &sender, Ref: "p=7"},
		"--sender=library@example.org --ref=p=7 --config=/x.toml":       {Sender: &sender, Ref: "p=7"},
		"--sender= a@example.net --expires 90m":                         {Recipients: []string{"a@example.net"}, Sender: &empty, Expires: 90 * time.Minute},
		"--expires=4h --ref -7 a@example.net -f library@example.org -v": {Recipients: []string{"a@example.net"}, Sender: &sender, Ref: "-7", Expires: 4 * time.Hour},
	} {
		p := new(app.Program)
		got, ok := request(p, strings.Fields(line))
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("notices enqueue %s: %+v, want %+v", line, got, want)
		}
		if p.Verbose != (strings.Contains(line, "-v")) || (p.Config != "") != strings.Contains(line, "--config") {
			t.Errorf("notices enqueue %s: verbose %v, config %q", line, p.Verbose, p.Config)
		}
	}
}
