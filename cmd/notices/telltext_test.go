package main

import "testing"

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"550 5.7.1 no": "550 5.7.1 no.", "is it?": "is it?", "no. ": "no.", "Stop!": "Stop!", "": ".",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for want, names := range map[string][]string{
		"a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}, "a, b and 3 more": {"a", "b", "c", "d", "e"},
	} {
		if got := listed(names); got != want {
			t.Errorf("%q: %q, want %q", names, got, want)
		}
	}
}
