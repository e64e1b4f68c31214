package announce

import (
	"testing"
)

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"550 5.7.1 no": "550 5.7.1 no.", "is it?": "is it?", "no. ": "no.", "Stop!": "Stop!", "": ".",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
