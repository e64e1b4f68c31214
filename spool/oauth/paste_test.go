package oauth

import (
	"io"
	"net/url"
	"strings"
	"testing"
)

func TestPaste(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines func(q url.Values) string
		says  string // of the refusal; empty: signed in
		asks  bool   // once more
	}{
		{"address", func(q url.Values) string { return q.Get("redirect_uri") + "?" + goodAnswer(q).Encode() + "\n" }, "", false},
		{"without a line end", func(q url.Values) string { return q.Get("redirect_uri") + "?" + goodAnswer(q).Encode() }, "", false},
		{"in quotes", func(q url.Values) string {
			return `  "` + q.Get("redirect_uri") + "?" + goodAnswer(q).Encode() + "\"\r\n"
		}, "", false},
		{"query", func(q url.Values) string { return goodAnswer(q).Encode() + "\n" }, "", false},
		{"second try", func(q url.Values) string {
			return "code-1\n\n" + q.Get("redirect_uri") + "?" + goodAnswer(q).Encode() + "\n"
		}, "", true},
		{"bare code", func(url.Values) string { return "code-1\n" }, "No address was pasted", true},
		{"nothing", func(url.Values) string { return "" }, "No address was pasted", false},
		{"cancelled", func(q url.Values) string {
			return "http://127.0.0.1:1/?error=access_denied&state=" + q.Get("state") + "\n"
		}, "cancelled", false},
		{"earlier try", func(url.Values) string { return "http://127.0.0.1:1/?code=code-1&state=old\n" }, "No address was pasted", false},
		{"earlier try first", func(q url.Values) string {
			return "http://127.0.0.1:1/?error=access_denied&state=old\n" + goodAnswer(q).Encode() + "\n"
		}, "", false},
		{"garbage", func(url.Values) string { return strings.Repeat("x%zz", 1000) + "\n" }, "No address was pasted", true},
		{"endless", func(url.Values) string { return strings.Repeat("x", 20*maxPaste) }, "No address was pasted", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.p.says(tokenPath, 200, granted(nil))
			in, out := io.Pipe()
			p := f.asks(func(l *Login) { l.Paste = in })
			q := <-p.asked
			go func() {
				io.WriteString(out, c.lines(q))
				out.Close()
			}()
			if c.says != "" {
				p.refused("", c.says)
			} else if a, err := p.end(); err != nil || a.Account != library {
				t.Errorf("%+v, %v", a, err)
			}
			in.Close()
			f.wantSays(strings.ReplaceAll(p.said.String(), "code-1", ""), "paste it here", "any browser")
			if asked := strings.Contains(p.said.String(), "Paste it whole"); asked != c.asks {
				t.Errorf("asked once more: %v, want %v", asked, c.asks)
			}
		})
	}
}

// With a tunnel the browser comes back by itself while a paste is waited for.
func TestPasteOrTunnel(t *testing.T) {
	f := newFixture(t)
	f.p.says(tokenPath, 200, granted(nil))
	in, out := io.Pipe()
	defer out.Close()
	p := f.asks(func(l *Login) { l.Paste = in })
	q := <-p.asked
	p.comesBack(q, goodAnswer(q))
	if a, err := p.end(); err != nil || a.Account != library {
		t.Errorf("%+v, %v", a, err)
	}
}
