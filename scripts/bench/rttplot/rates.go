package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rate is what one program reached at one round-trip time.
type rate struct {
	program     string
	rtt         float64 // milliseconds
	perSecond   float64
	connections int // the most that were seen at once
	runs        int
}

// parse reads the deliveries of a raw.tsv, in order; each is the rate of one run.
func parse(text string) ([]rate, error) {
	head, rows, _ := strings.Cut(text, "\n")
	column := map[string]int{}
	for i, name := range strings.Split(head, "\t") {
		column[name] = i
	}
	var list []rate
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		field := func(name string) string {
			if i, ok := column[name]; ok && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		ms, ok := strings.CutPrefix(field("variant"), "rtt")
		if !ok || field("case") != "deliver" {
			continue
		}
		r, err := measured(field("subject"), ms, field("messages"), field("wall_s"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
		r.connections, _ = strconv.Atoi(field("connections")) // "-": not seen
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, errors.New("no delivery at a round-trip time")
	}
	return list, nil
}

func measured(program, ms, messages, wall string) (rate, error) {
	rtt, err1 := strconv.ParseFloat(ms, 64)
	n, err2 := strconv.ParseFloat(messages, 64)
	seconds, err3 := strconv.ParseFloat(wall, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return rate{}, err
	}
	if seconds <= 0 {
		return rate{}, errors.New("it took no time")
	}
	return rate{program: program, rtt: rtt, perSecond: n / seconds, runs: 1}, nil
}

// medians returns one rate for each program and round-trip time, with the programs in the
// order of their first row.
func medians(runs []rate) []rate {
	type key struct {
		program string
		rtt     float64
	}
	place := map[string]int{}
	all := map[key][]rate{}
	for _, r := range runs {
		if _, ok := place[r.program]; !ok {
			place[r.program] = len(place)
		}
		k := key{r.program, r.rtt}
		all[k] = append(all[k], r)
	}
	var list []rate
	for _, same := range all {
		list = append(list, median(same))
	}
	slices.SortFunc(list, func(a, b rate) int {
		return cmp.Or(cmp.Compare(place[a.program], place[b.program]), cmp.Compare(a.rtt, b.rtt))
	})
	return list
}

func median(same []rate) rate {
	slices.SortFunc(same, func(a, b rate) int { return cmp.Compare(a.perSecond, b.perSecond) })
	n := len(same)
	m := same[n/2]
	m.perSecond = (same[(n-1)/2].perSecond + m.perSecond) / 2
	m.runs = n
	for _, r := range same {
		m.connections = max(m.connections, r.connections)
	}
	return m
}

const tableHead = "program\trtt_ms\tper_s\tconnections\truns\n"

// table writes the rates as TSV.
func table(list []rate) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, r := range list {
		fmt.Fprintf(&b, "%s\t%g\t%.1f\t%d\t%d\n", r.program, r.rtt, r.perSecond, r.connections, r.runs)
	}
	return b.String()
}

// readTable reads what table writes.
func readTable(text string) ([]rate, error) {
	rows, ok := strings.CutPrefix(text, tableHead)
	if !ok {
		return nil, errors.New("no table of rates")
	}
	var list []rate
	for line := range strings.Lines(rows) {
		var r rate
		if _, err := fmt.Sscanf(line, "%s\t%g\t%g\t%d\t%d\n", &r.program, &r.rtt, &r.perSecond, &r.connections, &r.runs); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		list = append(list, r)
	}
	return list, nil
}
