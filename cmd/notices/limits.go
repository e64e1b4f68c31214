package main

import (
	"fmt"
	"time"

	"notices/config"
	"notices/spool/route"
)

// limits makes the [[limit]] sections of the config those of a route.
func limits(cfg *config.Config) []route.Limit {
	list := make([]route.Limit, len(cfg.Limits))
	for i, l := range cfg.Limits {
		list[i] = route.Limit{Domains: l.Domains, Messages: l.Messages, Per: l.Per}
	}
	return list
}

// checkLimits refuses a domain that is in two of them. The config refuses it where it is
// written alike; here it is known that bücher.example is xn--bcher-kva.example.
func checkLimits(cfg *config.Config) error {
	domain, first, second, ok := route.Twice(limits(cfg))
	if !ok {
		return nil
	}
	return cfg.Fault("limit", second+1, "domains", fmt.Errorf("names %s a second time: it is in [[limit]] %d already, perhaps in its other form, xn-- or not", domain, first+1))
}

// limitLines tells for a person how far each limit is used up, and what waits for it.
func limitLines(used []route.Usage, now time.Time) []string {
	lines := make([]string, len(used))
	for i := range used {
		u := &used[i]
		line := fmt.Sprintf("%d of %d sent in %s", u.Used, u.Messages, u.Window())
		if u.Waiting > 0 {
			line += fmt.Sprintf("; %s waited at the last flush, %s", count(u.Waiting, "message"), ago(u.At, now))
		}
		if !u.Free.IsZero() {
			line += "; the next goes out " + ago(u.Free, now)
		}
		lines[i] = u.Name() + ": " + line
	}
	return lines
}
