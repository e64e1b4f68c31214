//go:build peers

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"notices/spool/postgres/cluster"
)

// sentCommands hand in a message to new@example.net, and import one to another address, too.
var sentCommands = []struct{ argv, text, spool string }{
	{"enqueue new@example.net", notice, ""},
	{"enqueue new@example.net", notice, "keep_history = \"0\"\n"},
	{"enqueue new@example.net", notice, "dir = \"buffer\"\n"},
	{"enqueue new@example.net", notice, "dir = \"buffer\"\nkeep_history = \"0\"\n"},
	{"sendmail new@example.net", notice, ""},
	{"sendmail -bs", "EHLO desk\r\nMAIL FROM:<library@example.org>\r\nRCPT TO:<new@example.net>\r\nDATA\r\n" + strings.ReplaceAll(notice, "\n", "\r\n") + ".\r\nQUIT\r\n", ""},
	{"report --mail new@example.net", "", ""},
	{"import two.mbox", "", ""},
	{"import --again two.mbox", "", "keep_history = \"0\"\n"},
}

const notice = "Subject: Overdue\n\nPlease bring it back.\n"

// TestSentBeforeAnswer loses the answer to each kind of statement, and before the command learns of that, the
// flush of another host sends what is queued. The command ends with 0, and each message was sent once.
func TestSentBeforeAnswer(t *testing.T) {
	c := newCutSite(t)
	var wg sync.WaitGroup
	for i := range sentCommands {
		wg.Go(func() {
			kinds := c.sentMeanwhile(i, 0)
			if len(kinds) < 2 {
				t.Errorf("notices %s: %d kinds of statements", sentCommands[i].argv, len(kinds))
				return
			}
			for _, k := range kinds[1:] { // if the first one is cut off, the database was never reached
				wg.Go(func() { c.sentMeanwhile(i, k) })
			}
		})
	}
	wg.Wait()
}

// sentMeanwhile cuts at a statement. It returns the first of each kind.
func (c *cutSite) sentMeanwhile(i, at int) (kinds []int) {
	command := sentCommands[i]
	f, p, err := c.site(cutCommand{argv: command.argv})
	if err != nil {
		c.t.Error(err)
		return nil
	}
	for _, host := range []string{"cut.toml", "desk.toml"} {
		text, err := os.ReadFile(filepath.Join(f.dir, host))
		if err != nil {
			c.t.Error(err)
		}
		f.write(host, string(text)+command.spool)
	}
	what := fmt.Sprintf("notices %s, %q, cut at %d", command.argv, command.spool, at)
	flush := func() {
		if out, err := f.command("desk", "flush", "--all").CombinedOutput(); err != nil {
			c.t.Errorf("%s: the flush: %v: %s", what, err, out)
		}
	}
	p.Plan(cluster.Cut{At: at, Late: true})
	p.Meanwhile(flush)
	cmd := f.command("cut", strings.Fields(command.argv)...)
	cmd.Stdin = strings.NewReader(command.text)
	said, err := cmd.CombinedOutput()
	kinds = p.Kinds()
	flush()
	taken := map[string]int{}
	for _, m := range f.smtp.Messages() {
		taken[m.Recipients[0]]++
	}
	other := strings.Count(command.argv, "import")
	if err != nil || strings.Contains(string(said), "was not queued") || taken["new@example.net"] != 1 || taken["other@example.net"] != other {
		c.t.Errorf("%s: %v: %s\nsent: %v", what, err, said, taken)
	}
	return kinds
}
