package smtpreply

import (
	"bytes"

	"notices/spool/printable"
)

// maxText is the longest Reply.Text, in octets.
const maxText = 500

// oneLine makes foreign bytes fit to be shown, in at most maxText octets.
func oneLine(b []byte) string { return printable.Cut(printable.Line(string(b)), maxText) }

// stripEnhanced drops the enhanced code from the start of each line that has it,
// since the Reply shows it in front.
func stripEnhanced(text []byte, enhanced string) []byte {
	if enhanced == "" {
		return text
	}
	if rest, ok := bytes.CutPrefix(text, []byte(enhanced)); ok && bytes.IndexByte(rest, '\n') >= len(rest)-1 {
		return rest // one line, as nearly always
	}
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte(enhanced))...)
	}
	return out
}
