// Command rttplot draws the results of scripts/bench/rtt: messages a second against the
// round-trip time, a line for each program. It reads the harness's raw.tsv and writes the
// medians to rtt.tsv and the picture to rtt.svg.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: rttplot RAW.tsv FOLDER")
		os.Exit(64)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "rttplot:", err)
		os.Exit(1)
	}
}

func run(raw, folder string) error {
	text, err := os.ReadFile(raw)
	if err != nil {
		return err
	}
	runs, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", raw, err)
	}
	kept := table(medians(runs))
	if err := os.WriteFile(filepath.Join(folder, "rtt.tsv"), []byte(kept), 0o644); err != nil {
		return err
	}
	list, err := readTable(kept) // rounded as in rtt.tsv, so that the picture can be drawn from that again
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "rtt.svg"), picture(list), 0o644)
}
