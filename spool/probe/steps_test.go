package probe

import "testing"

// TestStep: the lines of steps are split before their results, and no others.
func TestStep(t *testing.T) {
	var printed string
	tested := &test{Options: Options{Print: func(line string) { printed = line }}}
	for _, word := range []string{"name", "certificate"} {
		tested.say(word, "is this, or that")
		if before, result, ok := Step(printed); before+result != printed || result != "is this, or that" || !ok {
			t.Errorf("%q: %q, %q, %v", printed, before, result, ok)
		}
	}
	for _, line := range []string{"", "Server 1 works.", "What to try:", "  - Check the address.", "  - ", "  short"} {
		if before, result, ok := Step(line); ok {
			t.Errorf("%q: %q, %q", line, before, result)
		}
	}
}
