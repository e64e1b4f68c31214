package mailaddr

import (
	"strings"
	"testing"

	"notices/spool"
)

// FuzzList: no panic, nothing endless, and what passes is an address; a plain
// list is never misread.
func FuzzList(f *testing.F) {
	f.Fuzz(func(t *testing.T, list string) {
		given := 0
		for box := range List(list) {
			given++
			if box.Raw == "" {
				t.Fatal("an empty mailbox")
			}
			if Check(box.Address) == nil && spool.CheckAddress(box.Address) != nil {
				t.Fatalf("%q passes", box.Address)
			}
			if shown := box.shownName(); strings.ContainsAny(shown, "\r\n\x00") {
				t.Fatalf("%q is shown as %q", box.Raw, shown)
			}
		}
		if given > strings.Count(list, ",")+strings.Count(list, ";")+1 {
			t.Fatalf("%d mailboxes in %q", given, list)
		}
		// In front of it anything may stand: a good address after a comma is found, unless
		// a quote or bracket holds the comma.
		if strings.ContainsAny(list, `"(<[\=`) {
			return
		}
		var last string
		for box := range List(list + ",last@example.net") {
			last = box.Address
		}
		if last != "last@example.net" {
			t.Fatalf("%q hides what follows: %q", list, last)
		}
	})
}
