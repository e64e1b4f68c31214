package intake

import (
	"slices"
	"strings"
	"testing"
)

// TestArgumentForms are recipients as callers of sendmail give them, one argument each,
// and who gets the mail.
func TestArgumentForms(t *testing.T) {
	for in, want := range map[string]string{
		"a@dest.example":                           "a@dest.example",
		" a@dest.example\n":                        "a@dest.example",
		"<a@dest.example>":                         "a@dest.example",
		"A Reader <a@dest.example>":                "a@dest.example",
		`"Reader, A" <a@dest.example>`:             "a@dest.example",
		"a@dest.example (A Reader)":                "a@dest.example",
		`o\'donnel@dest.example`:                   "o'donnel@dest.example",
		`<o\'donnel@dest.example>`:                 "o'donnel@dest.example",
		`r\&d@dest.example`:                        "r&d@dest.example",
		`a\+b@dest.example`:                        "a+b@dest.example",
		`\root`:                                    "root@example.org",
		`\root@dest.example`:                       "root@dest.example",
		`a\ b@dest.example`:                        `"a b"@dest.example`,
		`a\@b@dest.example`:                        `"a@b"@dest.example`,
		`a\,b@dest.example`:                        `"a,b"@dest.example`,
		`a\\b@dest.example`:                        `"a\\b"@dest.example`,
		`a@dest.example\`:                          "",
		`o\'donnel@dest.example,r\&d@x.example`:    "o'donnel@dest.example r&d@x.example",
		`o\'donnel@dest.example b@x.example`:       "o'donnel@dest.example b@x.example",
		`a\@dest.example`:                          "a@dest.example",
		`a@dest\.example`:                          "a@dest.example",
		`a\!b@dest.example.`:                       "a!b@dest.example",
		`"a b"@dest.example`:                       `"a b"@dest.example`,
		`"a\"b"@dest.example`:                      `"a\"b"@dest.example`,
		"a@dest.example.":                          "a@dest.example",
		"a@dest.example..":                         "a@dest.example",
		"<a@dest.example.>":                        "a@dest.example",
		"A <a@dest.example.>, b@x.example.":        "a@dest.example b@x.example",
		"a@dest.example, b@x.example":              "a@dest.example b@x.example",
		"a@dest.example,b@x.example":               "a@dest.example b@x.example",
		"a@dest.example b@x.example":               "a@dest.example b@x.example",
		"a@dest.example\tb@x.example.":             "",
		"a@dest.example. b@x.example.":             "a@dest.example b@x.example",
		"a@dest.example  root":                     "a@dest.example root@example.org",
		"a@dest.example;b@x.example":               "a@dest.example b@x.example",
		"a@dest.example, ,":                        "a@dest.example",
		"root":                                     "root@example.org",
		"root,admin":                               "root@example.org admin@example.org",
		"root admin":                               "root@example.org admin@example.org",
		"Root <root>":                              "root@example.org",
		"mailto:a@dest.example":                    "a@dest.example",
		"<mailto:a@dest.example>":                  "a@dest.example",
		"<@relay.example:a@dest.example>":          "a@dest.example",
		"a @ dest.example":                         "a@dest.example",
		"A Reader <a@dest.example":                 "a@dest.example",
		"a@[192.0.2.1]":                            "a@[192.0.2.1]",
		"Team: a@dest.example, b@x.example;":       "a@dest.example b@x.example",
		"a.b.@dest.example":                        "a.b.@dest.example",
		"jürgen@dest.example":                      "jürgen@dest.example",
		"a/b=c%d@dest.example":                     "a/b=c%d@dest.example",
		"-a@dest.example":                          "-a@dest.example",
		"a@b@c":                                    "",
		"a@":                                       "",
		"@dest.example":                            "",
		"a@dest..example":                          "",
		"<>":                                       "",
		"":                                         "",
		", ,":                                      "",
		"a@dest.example> SIZE=1":                   "",
		"a@dest.example\r\nRCPT TO:<b@x.example>":  "",
		strings.Repeat("a", 300) + "@dest.example": "",
	} {
		r := sendmail(nil, "Subject: x\n\nx", in)
		r.ReturnBad = true
		if want == "" {
			e := newDesk(site).refused(t, r)
			if control := strings.ContainsAny(in, "\t\r"); e.Kind != BadMessage && !control || control && e.Kind != BadUsage {
				t.Errorf("%q alone: kind %d, %v", in, e.Kind, e)
			}
			continue
		}
		q, err := newDesk(site).accept(r)
		if err != nil || strings.Join(q.Recipients, " ") != want {
			t.Errorf("%q: %q, %v; want %q", in, q.Recipients, err, want)
		}
	}
}

// TestSenderForms: what -f takes.
func TestSenderForms(t *testing.T) {
	for in, want := range map[string]string{
		"desk@site.example": "desk@site.example", "<desk@site.example>": "desk@site.example", `o\'neil@site.example`: "o'neil@site.example",
		"desk@site.example.": "desk@site.example", "Desk <desk@site.example>": "desk@site.example", "www-data": "www-data@example.org",
		" desk@site.example ": "desk@site.example", "<>": "", "": "",
	} {
		q := newDesk(site).must(t, sendmail(pointer(in), "Subject: x\n\nx", "a@dest.example"))
		if q.Sender != want {
			t.Errorf("%q: %q, want %q", in, q.Sender, want)
		}
	}
}

// TestBackslashesOfEnqueue: what enqueue takes is one address an argument, but a
// backslash or a dot at the end is a mistake of the shell's, not of the librarian's.
func TestBackslashesOfEnqueue(t *testing.T) {
	r := plain(complete + "\nx\n")
	r.Recipients = []string{`o\'donnel@dest.example`, "a@dest.example."}
	if q := newDesk(site).must(t, r); !slices.Equal(q.Recipients, []string{"o'donnel@dest.example", "a@dest.example"}) {
		t.Errorf("%q", q.Recipients)
	}
}

// TestBadAmongGood: with ReturnBad the good recipients are served, and the bad ones are
// in the envelope for the return; without it nothing is queued.
func TestBadAmongGood(t *testing.T) {
	long := strings.Repeat("a", 300) + "@dest.example"
	r := sendmail(nil, "Subject: x\n\nx", "a@b@c", "good@dest.example", "b@dest..example", "\xff@dest.example", long)
	r.ReturnBad = true
	want := []string{"good@dest.example", "a@b@c", "b@dest..example", "?@dest.example", long[:200] + "..."}
	if q := newDesk(site).must(t, r); !slices.Equal(q.Recipients, want) || q.UTF8 {
		t.Errorf("%q", q.Recipients)
	}
	head := sendmail(nil, "To: a@b@c, Good <good@dest.example>\nCc: <>\n\nx")
	head.ReturnBad, head.FromHeader = true, true
	if q := newDesk(site).must(t, head); !slices.Equal(q.Recipients, []string{"good@dest.example", "a@b@c", "<>"}) {
		t.Errorf("%q", q.Recipients)
	}
	r.ReturnBad, r.Body = false, strings.NewReader("Subject: x\n\nx")
	if e := newDesk(site).refused(t, r); e.Kind != BadUsage {
		t.Errorf("strict: %v", e)
	}
	// The header does not stand in for arguments that are all bad.
	r = sendmail(nil, "To: good@dest.example\n\nx", "a@b@c")
	r.ReturnBad = true
	if e := newDesk(site).refused(t, r); e.Kind != BadMessage || !strings.Contains(e.Msg, "a@b@c") {
		t.Errorf("%v", e)
	}
	for _, control := range []string{"a@dest.example\r\nX: y", "a\x00@dest.example"} {
		r = sendmail(nil, "Subject: x\n\nx", "good@dest.example", control)
		r.ReturnBad = true
		if e := newDesk(site).refused(t, r); e.Kind != BadUsage {
			t.Errorf("%q: %v", control, e)
		}
	}
}
