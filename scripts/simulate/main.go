// Command simulate shows how many machines load their mail server after an outage: how
// many sends reach it in a minute and in a second, and when it has everything. It prints a
// table. With -save it also draws man/many-machines.svg and writes the table into
// notices-flush(1).
//
// All machines queue the night's notices in the same minute. The outage began eight
// minutes before, so that it ends in the middle of an interval of the policies that try
// every 15 minutes. The machines run the real code in simulated time: flush engine,
// schedule, route with its circuit breaker, SMTP client. Simulated are the disk (store.go),
// the network and the server (server.go, session.go) and the clock (clock.go). Each run has
// one connection instead of four, so that the same seed gives the same figures.
//
// The other policies are a simple queue runner (runner.go) with the usual schedules. It
// tries each message separately. "With pauses" means that one failed connection defers
// everything that is due, as in the program, which shows the effect of this alone. None of
// them is a measurement of another program.
//
// A send is an accepted message or a refused connection. There are two servers. One
// accepts everything, so that the figures show what the machines ask for; the picture shows
// this one. The other is small: a hundred messages a second and a hundred connections at
// once, as Postfix has by default. It refuses further connections with a 421.
//
// With -hosts it shows instead how hosts share one queue in a database. They run the real store,
// too, on a PostgreSQL that the command starts: Debian's package postgresql is needed.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Files that -save writes, from the root of the module.
const (
	pictureFile = "man/many-machines.svg"
	pageFile    = "man/notices-flush.1"
	resultsFile = "scripts/simulate/testdata/many-machines.json"
)

func main() {
	w := night
	save := flag.Bool("save", false, "keep the results: in "+pictureFile+", "+pageFile+" and "+resultsFile)
	flag.IntVar(&w.Machines, "machines", w.Machines, "`number` of machines")
	flag.IntVar(&w.Messages, "messages", w.Messages, "`number` of messages on each")
	flag.DurationVar(&w.Away, "away", w.Away, "how `long` the server is away")
	flag.DurationVar(&w.Queued, "queued", w.Queued, "how `long` after that the messages are queued")
	flag.Uint64Var(&w.Seed, "seed", w.Seed, "of all that is random")
	hosts := flag.String("hosts", "", "hosts with one queue in a database instead, as in `1,2,4,8/4`: 8/4 means 8 hosts in 4 groups with a database each")
	flag.Parse()
	if err := choose(w, *save, *hosts); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func choose(w world, save bool, hosts string) error {
	if hosts == "" {
		return run(w, save)
	}
	list, err := parseTeams(hosts)
	if err != nil {
		return err
	}
	return evening.teams(list)
}

func run(w world, save bool) error {
	both, err := w.both()
	if err != nil {
		return err
	}
	fmt.Print(both.table())
	if !save {
		return nil
	}
	text, err := json.Marshal(both)
	if err != nil {
		return err
	}
	if err := write(resultsFile, append(text, '\n')); err != nil {
		return err
	}
	if err := write(pictureFile, both.Any.picture()); err != nil {
		return err
	}
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	if page, err = withTable(page, both.table()); err != nil {
		return err
	}
	return write(pageFile, page)
}

// withTable replaces the table of the manual page: the display that begins like it.
func withTable(page []byte, table string) ([]byte, error) {
	first, _, _ := strings.Cut(table, "\n")
	before, rest, found := bytes.Cut(page, []byte("\n"+first+"\n"))
	_, after, ends := bytes.Cut(rest, []byte("\n.Ed\n"))
	if !found || !ends {
		return nil, fmt.Errorf("%s has no table that begins with %q", pageFile, first)
	}
	return fmt.Appendf(nil, "%s\n%s.Ed\n%s", before, table, after), nil
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}
