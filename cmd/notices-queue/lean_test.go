package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestFrontIsLean: this program starts in half the time because of what it does not
// link. (The test cache knows when to run it again: this test links the same.)
func TestFrontIsLean(t *testing.T) {
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
			"net/http", "crypto/tls", "crypto/x509", "regexp", "text/template", "html/template", "encoding/xml", "database/sql",
			"github.com/spf13/cobra", "github.com/emersion", "golang.org/x/oauth2",
			"notices/spool/route", "notices/spool/flush", "notices/spool/submission",
		} {
			if linked == slow || strings.HasPrefix(linked, slow+"/") {
				t.Errorf("cmd/notices-queue links %s", linked)
			}
		}
	}
}

func TestCommand(t *testing.T) {
	for line, want := range map[string]string{
		"":                                "",
		"enqueue a@example.net":           "enqueue",
		"-v --config /x.toml sendmail -t": "sendmail",
		"--config=/x.toml version":        "version",
		"--config sendmail sendmail":      "sendmail",
		"--help":                          "--help",
	} {
		args := strings.Fields(line)
		name, at := command(args)
		if name != want || want != "" && args[at] != want {
			t.Errorf("notices %s: %q at %d, want %q", line, name, at, want)
		}
	}
}
