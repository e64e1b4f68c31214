//go:build peers

package returns

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// difference is a sample on which we do not agree with one of the other programs. An empty answer
// is "no return"; "=" is ours.
type difference struct{ flufl, sisimai, why string }

const ann = "permanent ann@example.net"

// differences are all of them. A sample that is not here gives three equal answers.
func differences() map[string]difference {
	const (
		damaged  = "what is damaged in one place only is clear enough"
		noWords  = "they do not know this form"
		notYet   = "the words say that it is still being tried; a delay never counts as bounced"
		noMIME   = "the part is encoded, which RFC 3464 forbids and servers do"
		person   = "it has no sign of a mail system, and anybody can write it"
		away     = "a person is away, whatever else the mail says"
		notTheir = "it is mail between people, and names no message of ours"
	)
	return map[string]difference{
		"dsn-bare":                      {"=", "", damaged},
		"dsn-blank-line-first":          {"", "", damaged},
		"dsn-byte-order-mark":           {"", "=", damaged},
		"dsn-labelled-text":             {"", "", damaged},
		"groupwise":                     {"", "=", noWords},
		"no-daemon-deferred":            {"=", ann + " 4.2.0", notYet},
		"no-daemon-without-code":        {"=", ann + " -", "it does not say that it failed"},
		"no-person-attached-status":     {ann, ann + " 5.1.1", person},
		"no-person-bare-status":         {ann, "=", person},
		"no-person-failed-recipients":   {ann, "=", person},
		"no-person-failed-recipients-2": {ann, "=", person},
		"no-person-forwards-without-id": {ann, "=", person},
		"no-person-quotes-return":       {ann, ann + " 5.1.1", "a program answers for a person who quotes a return"},
		"no-vacation-failed-recipients": {ann, "=", away},
		"no-vacation-postmaster":        {ann, ann + " 5.1.1", away},
		"postfix-no-mime":               {"", "=", noWords},
		"words-communigate":             {"", "=", noWords},
		"words-french":                  {"", "=", noWords},
		"words-html":                    {"", "", noWords},
		"words-imail":                   {"", "=", noWords},
		"words-mdaemon":                 {"", "=", noWords},
		"words-qmail-german":            {"", "=", noWords},
		"words-qq":                      {"", "", noWords},
		"words-tonline":                 {"", "=", noWords},
		"words-webde-german":            {"", "=", noWords},
		"dsn-double":                    {ann + "\npermanent desk@example.org", "=", "the return that was returned is no news"},
		"dsn-encoded-status":            {"", "=", noMIME},
		"dsn-forwarded":                 {"=", "", "a person may forward a return to the mailbox that is read"},
		"dsn-mailman":                   {"=", "", "Mailman forwards what it does not understand"},
		"dsn-no-action":                 {"", "=", damaged},
		"dsn-no-blank-lines":            {"", "", damaged},
		"dsn-opensmtpd":                 {"=", ann + " 5.0.0", "the status in the text says more"},
		"dsn-text-status":               {"", "", damaged},
		"dsn-too-many-blank-lines":      {"", "=", damaged},
		"dsn-utf8":                      {"", "", "they do not know RFC 6533"},
		"dsn-x400":                      {"=", "", "the original recipient is ours"},
		"exchange-2003":                 {"", "=", noWords},
		"exchange-2010":                 {"", "=", noWords},
		"exchange-delayed":              {"", ann + " -", notYet},
		"exchange-html":                 {"", "", noWords},
		"exchange-several": {"", ann + " -\npermanent bob@example.net -\n" + ann + " 5.1.1\npermanent bob@example.net 5.2.2",
			"each is named twice, and the second time says more"},
		"exim-warning":       {ann, "=", notYet},
		"gmail-header-only":  {"=", "", noWords},
		"gmail-old-delay":    {ann, ann + " -", notYet},
		"ionos-warning":      {"=", ann + " -", notYet},
		"mailenable":         {"=", "", noWords},
		"microsoft365-words": {"", "=", noWords},
		"no-list-mail":       {ann, ann + " 5.1.1", notTheir},
		"no-spam":            {"=", "permanent library@example.org -", "it is spam that imitates a return, and names no recipient"},
		"opensmtpd-delay":    {"", ann + " 4.3.0", notYet},
		"postfix-words":      {"", "=", noWords},
		"sendmail-warning":   {ann, ann + " -", notYet},
		"zoho":               {"permanent 0AAAAAAAAAAAAAA1@mail.example.org\npermanent library@example.org", "=", "they take addresses of the returned message"},
	}
}

// TestSecondOpinion asks two other programs what they make of each sample: Mailman's parser
// (Debian's python3-flufl.bounce) and Sisimai (libsisimai-perl).
func TestSecondOpinion(t *testing.T) {
	known, files := differences(), filesOf(t, "testdata/*.eml")
	mailman := ask(t, files, "/usr/bin/python3", "testdata/flufl_check.py")
	perl := ask(t, files, "/usr/bin/perl", "testdata/sisimai_check.pl")
	for name, b := range samples(t) {
		t.Run(name, func(t *testing.T) {
			r, err := Parse(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			d, differs := known[name]
			if !differs {
				d = difference{"=", "=", ""}
			}
			compare(t, "flufl", r, mailman[name], d.flufl)
			compare(t, "Sisimai", r, perl[name], d.sisimai)
			if differs && d.flufl == "=" && d.sisimai == "=" || differs && d.why == "" {
				t.Errorf("no difference, or no reason: %+v", d)
			}
		})
		delete(known, name)
	}
	if len(known) > 0 {
		t.Errorf("no such samples: %v", known)
	}
}

// ask returns what a program says of each file, by its name without extension.
func ask(t *testing.T, files []string, command ...string) map[string]string {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], files...)...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, problems.String())
	}
	answers, name := map[string]string{}, ""
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		if file, ok := strings.CutSuffix(line, ":"); ok {
			name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
			continue
		}
		answers[name] = strings.TrimSpace(answers[name] + "\n" + line)
	}
	return answers
}

func filesOf(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

// compare compares an answer with the expected one; "=" is what Parse says.
func compare(t *testing.T, who string, r *Return, got, want string) {
	t.Helper()
	if want != "=" {
		if got != want {
			t.Errorf("%s says\n%s\nwant\n%s", who, got, want)
		}
		return
	}
	lines := strings.FieldsFunc(got, func(r rune) bool { return r == '\n' })
	for _, c := range r.Recipients {
		if c.Kind != Succeeded && !slices.ContainsFunc(lines, func(line string) bool { return agrees(line, c) }) {
			t.Errorf("%s says\n%s\nwithout %+v", who, got, c)
		}
	}
	for _, line := range lines {
		if !slices.ContainsFunc(r.Recipients, func(c Recipient) bool { return agrees(line, c) }) {
			t.Errorf("%s says\n%s\nwe have %+v", who, line, r.Recipients)
		}
	}
}

// agrees: the address may be the final or the original one.
func agrees(line string, c Recipient) bool {
	f := strings.Fields(line)
	kind := map[Kind]string{Failed: "permanent", Delayed: "temporary"}[c.Kind]
	return f[0] == kind && (f[1] == c.Final || f[1] == c.Original) && (len(f) < 3 || f[2] == "-" || f[2] == cmp.Or(c.Status, f[2]))
}

// TestMailmansSamples reads the samples that come with Mailman's parser: returns that real servers
// made from 1999 on. Of many a program we do not know the form, because it is gone. But what is found
// has to be right.
func TestMailmansSamples(t *testing.T) {
	files := filesOf(t, "/usr/lib/python3/dist-packages/flufl/bounce/tests/data/*.txt")
	mailman := ask(t, files, "/usr/bin/python3", "testdata/flufl_check.py")
	mailman["sendmail_01"] = "permanent zzzzz@shaft.coal.nl" // expanded from the other one
	found := 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == Failed || r.Kind == Delayed {
			found++
			name := strings.TrimSuffix(filepath.Base(file), ".txt")
			compare(t, "flufl, of "+name+",", r, mailman[name], "=")
		}
	}
	if found < 65 || found == len(files) {
		t.Errorf("%d of %d are returns", found, len(files))
	}
}
