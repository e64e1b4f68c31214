package main

import (
	"fmt"
	"strings"
	"time"
)

// Levels of status --check, as monitoring programs take them for exit codes (the
// Monitoring Plugins guidelines).
const (
	checkOK       = 0
	checkWarning  = 1
	checkCritical = 2
)

// checked gathers what status --check finds: the worst level, and why.
type checked struct {
	level   int
	reasons []string
}

func (c *checked) note(level int, format string, args ...any) {
	c.level = max(c.level, level)
	c.reasons = append(c.reasons, fmt.Sprintf(format, args...))
}

// age notes what is older than a limit.
func (c *checked) age(what string, age time.Duration, o statusOptions) {
	switch {
	case age > time.Duration(o.Critical):
		c.note(checkCritical, "%s %s ago", what, age.Round(time.Second))
	case age > time.Duration(o.Warn):
		c.note(checkWarning, "%s %s ago", what, age.Round(time.Second))
	}
}

// check is SPEC section 3: the oldest due message, the last flush, what failed, and
// sign-ins that wait for a person.
func (s *statusJSON) check(now time.Time, o statusOptions) *checked {
	c := &checked{}
	if s.sends.due > 0 && s.NextSendAt != nil {
		c.age("a message was due", now.Sub(*s.NextSendAt), o)
	}
	if s.LastFlush == nil {
		c.note(checkWarning, "notices flush has never run here")
	} else {
		c.age("the last flush ran", now.Sub(*s.LastFlush.At), o)
	}
	if s.Failed > 0 {
		c.note(checkWarning, "%s failed and could not be returned", count(s.Failed, "message"))
	}
	for _, account := range []*accountJSON{s.Google, s.Microsoft} {
		if account != nil && account.needsPerson {
			c.note(checkCritical, "%s", *account.Error)
		}
	}
	return c
}

// printCheck says it in one line; the exit code is the level.
func (a *app) printCheck(c *checked) error {
	word := [...]string{"OK", "WARNING", "CRITICAL"}[c.level]
	if c.level == checkOK {
		return a.printBare(word + ": mail goes out\n")
	}
	if err := a.printBare(word + ": " + strings.Join(c.reasons, "; ") + "\n"); err != nil {
		return err
	}
	return &failure{code: c.level}
}
