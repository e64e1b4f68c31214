package smtpclient

import (
	"slices"
	"sync"
)

// Addresses is what a run learned of the addresses of one server: an address that is
// silent must not cost a time-out for each connection. The zero value knows nothing.
type Addresses struct {
	mu    sync.Mutex
	known map[string]address
	lower bool // the last address that took mail did so without verified TLS
}

// address is how one of them did. Only a MAIL that is taken proves that it works: other connections
// may be on their way there while the first one is refused.
type address struct {
	worked bool // it has taken a MAIL
	failed bool // since then it has failed before a MAIL was taken
}

// note keeps how an address did.
func (a *Addresses) note(name string, worked bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]address{}
	}
	a.known[name] = address{worked: worked || a.known[name].worked, failed: !worked}
}

// tookMail notes that the connection's address has taken a MAIL.
func (a *Addresses) tookMail(c *Conn) {
	a.note(c.address, true)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lower = c.level != verified
}

// noneVerified reports whether the run has to do without verified TLS, as it found out.
func (a *Addresses) noneVerified() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lower
}

// candidates are the names in list that are worth a try, the best first: what has not
// failed in this run; else what worked once; else all.
func (a *Addresses) candidates(list []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	rank := func(name string) int {
		switch is := a.known[name]; {
		case is.failed && is.worked:
			return 2
		case is.failed:
			return 3
		case is.worked:
			return 0
		}
		return 1
	}
	sorted := slices.SortedStableFunc(slices.Values(list), func(a, b string) int { return rank(a) - rank(b) })
	worst := max(1, rank(sorted[0]))
	return slices.DeleteFunc(sorted, func(name string) bool { return rank(name) > worst })
}

// untried reports whether an address of list has not failed in this run.
func (a *Addresses) untried(list []string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(list, func(name string) bool { return !a.known[name].failed })
}
