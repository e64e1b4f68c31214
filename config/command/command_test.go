package command

import (
	"strings"
	"testing"
)

func TestCommandEndsInTime(t *testing.T) {
	_, err := Run(t.Context(), "echo waiting >&2; sleep 60 & sleep 60", 1, 100)
	if err == nil || !strings.HasPrefix(err.Error(), "took longer than 1ns") {
		t.Error(err)
	}
}

// A command that prints without an end is cut, not kept.
func TestOutputIsBounded(t *testing.T) {
	out, err := Run(t.Context(), "head -c 1000000 /dev/zero", MaxTime, 100)
	if len(out) != 100 || err != nil {
		t.Errorf("%d octets, %v", len(out), err)
	}
}

// TestRunHidesOutput: what a command printed is not shown when it fails, wherever it said it.
func TestRunHidesOutput(t *testing.T) {
	_, err := Run(t.Context(), "echo sesame; echo 'login with sesame failed' >&2; exit 1", MaxTime, 100)
	if err == nil || strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), "login with *** failed") {
		t.Errorf("%v", err)
	}
}
