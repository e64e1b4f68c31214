package document

import (
	"strings"
	"testing"
)

func TestOutline(t *testing.T) {
	const text = `top = 1 # line 1
[site]
name = """
[spool]
dir = "not here"
"""
"address" = 'a # b' # "
list = [ # [
  "]", ']]]',
  { x = [1, 2] },
]
after.dot.dot = "\"["

[[server]]
host = "a"
[[ server ]]

  host="b"
port = 1
[server.sub]
deep = 1
['retry']
give_up = ''''quoted''''' # two quotes of the text, three of its end
short_range = 1
`
	at := Index([]byte(text))
	for p, want := range map[Place]int{
		{Section: "top"}:                       1,
		{Section: "site"}:                      2,
		{Section: "site", Key: "name"}:         3,
		{Section: "site", Key: "address"}:      7,
		{Section: "site", Key: "list"}:         8,
		{Section: "site", Key: "after"}:        12,
		{Section: "server", N: 1}:              14,
		{Section: "server", N: 1, Key: "host"}: 15,
		{Section: "server", N: 2}:              16,
		{Section: "server", N: 2, Key: "host"}: 18,
		{Section: "server", N: 2, Key: "port"}: 19,
		{Section: "server", N: 2, Key: "sub"}:  20,
		{Section: "server", N: 1, Key: "port"}: 14, // not there: its table
		{Section: "server"}:                    14,
		{Section: "retry"}:                     22,
		{Section: "retry", Key: "give_up"}:     23,
		{Section: "retry", Key: "short_range"}: 24,
		{Section: "spool", Key: "dir"}:         0,
	} {
		if got := at.Line(p); got != want {
			t.Errorf("%+v: line %d, want %d", p, got, want)
		}
	}
}

// A document that is broken off anywhere is scanned to its end, and so is one with a
// value that never ends.
func TestOutlineOfHalves(t *testing.T) {
	text := append([]byte(edited), "\nx = [ '''\n\"\"\" ''', \"\"\"\\\"\"\"\" ]\n[[a.\"b\"]]\n"...)
	for i := 0; i < len(text); i += 7 {
		Index(text[:i])
	}
	for _, line := range []string{"\n'a',", "\n']',"} {
		Index([]byte("x = [" + strings.Repeat(line, 2000)))
	}
}
