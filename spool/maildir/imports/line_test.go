package imports

import (
	"reflect"
	"testing"

	"notices/spool"
)

func FuzzJournal(f *testing.F) {
	f.Add(Line{[]spool.ImportKey{{1}}, 100, "A"}.Append(nil))
	f.Add(Line{[]spool.ImportKey{{1}, {2}}, 100, "A"}.Append(nil))
	f.Add([]byte("0123456789abcdef 00 1 A\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		var l, again Line
		if l.Parse(line) && (!again.Parse(l.Append(nil)) || !reflect.DeepEqual(again, l) || !l.ID.Valid()) {
			t.Errorf("%q is %v, and then %v", line, l, again)
		}
	})
}
