//go:build peers

package bounce

import (
	"os/exec"
	"strings"
	"testing"
)

// These tests pass our reports to bounce parsers that mailing lists use: Debian's
// python3-flufl.bounce and libmail-deliverystatus-bounceparser-perl:
// go test -tags peers notices/spool/bounce
func TestPeers(t *testing.T) {
	for _, c := range []struct{ report, flufl, perl string }{
		{"failed", "permanent reader@example.net\n", "bounce\nreader@example.net user_unknown 550 5.1.1\n<7@example.org>\n"},
		{"failed-many", "permanent a@example.net\npermanent b@example.net\npermanent c@example.net\n",
			"bounce\na@example.net user_unknown 550 5.1.1\nb@example.net over_quota 552 5.2.2\nc@example.net user_unknown 550 5.1.1\n<7@example.org>\n"},
		{"expired", "permanent reader@example.net\n", "bounce\nreader@example.net domain_error 447 4.4.7\n<7@example.org>\n"},
		{"delayed", "temporary reader@example.net\n", "no bounce\n<7@example.org>\n"},
		{"relayed", "", "no bounce\n<7@example.org>\n"},
		{"held", "temporary reader@example.net\n", "no bounce\n<7@example.org>\n"},
		{"utf8-recipient", "", ""}, // neither knows RFC 6533; they must not choke
	} {
		t.Run(c.report, func(t *testing.T) {
			text := compose(t, reports[c.report]())
			for script, want := range map[string]string{"flufl_check.py": c.flufl, "bounceparser_check.pl": c.perl} {
				got := runScript(t, script, text)
				if want != "" && got != want {
					t.Errorf("%s says:\n%swant:\n%s", script, got, want)
				}
			}
		})
	}
}

func runScript(t *testing.T, script, input string) string {
	t.Helper()
	interpreter := "/usr/bin/python3" // Debian's, which has Debian's modules
	if strings.HasSuffix(script, ".pl") {
		interpreter = "/usr/bin/perl"
	}
	cmd := exec.Command(interpreter, "testdata/"+script)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(input, "\r\n", "\n")) // as a mailbox holds it
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, problems.String())
	}
	return string(out)
}
