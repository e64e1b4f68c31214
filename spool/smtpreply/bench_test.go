package smtpreply

import (
	"os"
	"strings"
	"testing"
)

// BenchmarkClassify: an operation is one reply judged, from the bytes of the connection
// on, of all those in testdata/replies.tsv in turn.
func BenchmarkClassify(b *testing.B) {
	table, err := os.ReadFile("testdata/replies.tsv")
	if err != nil {
		b.Fatal(err)
	}
	var stages []Stage
	var replies []string
	for line := range strings.Lines(string(table)) {
		if f := strings.Split(line, "\t"); !strings.HasPrefix(line, "#") {
			stages, replies = append(stages, Stage(f[0])), append(replies, strings.ReplaceAll(f[1], `\n`, "\r\n")+"\r\n")
		}
	}
	j, br := testJudge(), newReader("")
	var text []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		br.Reset(strings.NewReader(replies[i%len(replies)]))
		code, t, err := Read(br, text[:0])
		if err != nil {
			b.Fatal(err)
		}
		text = t
		if o := j.Outcome(stages[i%len(stages)], code, text); o.Class == "" {
			b.Fatal(o)
		}
	}
}
