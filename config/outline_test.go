package config

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
	at := index([]byte(text))
	for p, want := range map[place]int{
		{section: "top"}:                       1,
		{section: "site"}:                      2,
		{section: "site", key: "name"}:         3,
		{section: "site", key: "address"}:      7,
		{section: "site", key: "list"}:         8,
		{section: "site", key: "after"}:        12,
		{section: "server", n: 1}:              14,
		{section: "server", n: 1, key: "host"}: 15,
		{section: "server", n: 2}:              16,
		{section: "server", n: 2, key: "host"}: 18,
		{section: "server", n: 2, key: "port"}: 19,
		{section: "server", n: 2, key: "sub"}:  20,
		{section: "server", n: 1, key: "port"}: 14, // not there: its table
		{section: "server"}:                    14,
		{section: "retry"}:                     22,
		{section: "retry", key: "give_up"}:     23,
		{section: "retry", key: "short_range"}: 24,
		{section: "spool", key: "dir"}:         0,
	} {
		if got := at.line(p); got != want {
			t.Errorf("%+v: line %d, want %d", p, got, want)
		}
	}
}

// A document that is broken off anywhere is scanned to its end, and so is one with a
// value that never ends.
func TestOutlineOfHalves(t *testing.T) {
	text := Template(Setting{"site", 0, "name", `a "b" \ c`}, Setting{"server", 1, "host", "mail.example.org"})
	text = append(text, "x = [ '''\n\"\"\" ''', \"\"\"\\\"\"\"\" ]\n[[a.\"b\"]]\n"...)
	for i := 0; i < len(text); i += 7 {
		index(text[:i])
	}
	for _, line := range []string{"\n'a',", "\n']',"} {
		index([]byte("x = [" + strings.Repeat(line, 2000)))
	}
}
