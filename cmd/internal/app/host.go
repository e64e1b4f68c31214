package app

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"notices/config"
	"notices/spool"
)

// Host is where this machine's name is found.
type Host struct {
	Kernel   func() (string, error) // nil: not asked
	Hosts    string                 // the file /etc/hosts
	Mailname string                 // the file /etc/mailname
	// Canonical asks the resolver for the full form of a name. nil: it is not asked, as in
	// the small program, which never asks and so need not link a resolver.
	Canonical func(ctx context.Context, name string) (string, error)
	// LookupTXT asks the DNS for TXT records. nil: it is not asked.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// thisHost is the machine that the program runs on.
func thisHost() Host {
	return Host{Kernel: os.Hostname, Hosts: "/etc/hosts", Mailname: "/etc/mailname"}
}

// resolverTime is how long the resolver may take: mail waits for it.
const resolverTime = 2 * time.Second

// FullName is the machine's full name: the kernel's, if it has a dot; else what the
// resolver returns for it, as hostname -f does, /etc/hosts first; else /etc/mailname.
// It is empty if the machine has no full name. Without ask the network is not used, so that
// an enqueue never waits for it.
func (h *Host) FullName(ask bool) string {
	kernel := h.kernel()
	if isFull(kernel) {
		return kernel
	}
	if name := fullName(readSmall(h.Hosts), kernel); name != "" {
		return name
	}
	if ask && h.Canonical != nil && kernel != "" {
		ctx, cancel := context.WithTimeout(context.Background(), resolverTime)
		defer cancel()
		if name, err := h.Canonical(ctx, kernel); err == nil && isFull(strings.TrimSuffix(name, ".")) {
			return strings.TrimSuffix(name, ".")
		}
	}
	for line := range strings.Lines(readSmall(h.Mailname)) {
		if name := strings.TrimSpace(line); isFull(name) {
			return name
		}
	}
	return ""
}

func (h *Host) kernel() string {
	if h.Kernel == nil {
		return ""
	}
	name, _ := h.Kernel() // no name is as good as an empty one
	return strings.TrimSuffix(name, ".")
}

// fullName finds the full form of a name in a hosts file, hosts(5).
func fullName(hosts, name string) string {
	if name == "" {
		return ""
	}
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		full, known := "", false
		for _, f := range fields[1:] {
			known = known || strings.EqualFold(f, name)
			if full == "" && isFull(f) {
				full = f
			}
		}
		if known && full != "" {
			return full
		}
	}
	return ""
}

// isFull reports whether other hosts can use a name.
func isFull(name string) bool {
	lower := strings.ToLower(name)
	return strings.Contains(name, ".") && !strings.HasPrefix(lower, "localhost.") && !strings.HasSuffix(lower, ".localdomain") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) && spool.CheckAddress("postmaster@"+name) == nil
}

// readSmall reads a system file; one that cannot be read counts as empty.
func readSmall(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// localNames are the domains that stand for this machine in an address.
func localNames(h *Host, configured string) []string {
	names := []string{"localhost", "localhost.localdomain", h.kernel(), h.FullName(false), configured}
	if short, _, ok := strings.Cut(h.kernel(), "."); ok {
		names = append(names, short)
	}
	return names
}

// FindHostname returns a function that finds [site] hostname, or else the machine's full
// name, once; empty: there is no name. ask: the resolver is asked too.
func (p *Program) FindHostname(cfg *config.Config, ask bool) func() string {
	return sync.OnceValue(func() string {
		if cfg.Site.Hostname != "" {
			return cfg.Site.Hostname
		}
		return p.Host.FullName(ask)
	})
}
