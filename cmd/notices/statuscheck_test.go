package main

import (
	"strings"
	"testing"
	"time"
)

// A sign-in that waits for a person is critical and says what to run; one that will
// mend itself is not.
func TestCheckSignIn(t *testing.T) {
	now := time.Now()
	text := "the sign-in is over; run: notices google-login"
	o := statusOptions{Warn: duration(15 * time.Minute), Critical: duration(2 * time.Hour)}
	for person, level := range map[bool]int{true: checkCritical, false: checkOK} {
		s := &statusJSON{LastFlush: &flushJSON{At: &now}, Google: &accountJSON{Error: &text, needsPerson: person}}
		c := s.check(now, o)
		if c.level != level || person != strings.Contains(strings.Join(c.reasons, " "), "notices google-login") {
			t.Errorf("needs a person %v: level %d, %q", person, c.level, c.reasons)
		}
	}
}
