package smtpreply

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"notices/spool"
)

// TestClassifyRealReplies holds Classify against what servers really say, found as in
// a conversation: from the raw reply.
func TestClassifyRealReplies(t *testing.T) {
	table, err := os.ReadFile("testdata/replies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		rows++
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("not six fields: %q", line)
		}
		want := spool.Outcome{Class: spool.Class(f[2]), Scope: spool.Scope(f[3])}
		if f[4] != "-" {
			want.Reason = spool.Reason(f[4])
		}
		got := classifyRaw(t, Stage(f[0]), f[1])
		if got.Reason == spool.ReasonPolicy { // what remains of it when nobody was accepted
			got.Reason = ""
		}
		if got != want {
			t.Errorf("%s: %s\n got %v\nwant %v", f[0], f[1], got, want)
		}
	}
	if rows < 230 {
		t.Errorf("only %d replies", rows)
	}
}

// classifyRaw takes a reply apart as Judge does, and drops what is only shown.
func classifyRaw(t *testing.T, stage Stage, reply string) spool.Outcome {
	t.Helper()
	code, text, err := Read(newReader(strings.ReplaceAll(reply, `\n`, "\r\n")+"\r\n"), nil)
	if err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	o := testJudge().Outcome(stage, code, text)
	o.Reply = spool.Reply{}
	return o
}

// Each code at each stage, without a word.
func TestClassifyByCode(t *testing.T) {
	server := func(r spool.Reason) spool.Outcome {
		return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: r}
	}
	of := func(class spool.Class, scope spool.Scope, reason spool.Reason) spool.Outcome {
		return spool.Outcome{Class: class, Scope: scope, Reason: reason}
	}
	for _, c := range []struct {
		stage Stage
		code  int
		want  spool.Outcome
	}{
		{StageDot, 250, of(spool.Delivered, "", "")},
		{StageDot, 251, of(spool.Delivered, "", "")},
		{StageRcpt, 450, of(spool.Deferred, spool.RecipientScope, "")},
		{StageRcpt, 499, of(spool.Deferred, spool.RecipientScope, "")},
		{StageRcpt, 550, of(spool.Failed, spool.RecipientScope, "")},
		{StageRcpt, 599, of(spool.Failed, spool.RecipientScope, "")},
		{StageMail, 451, of(spool.Deferred, spool.MessageScope, "")},
		{StageMail, 550, of(spool.Failed, spool.MessageScope, spool.ReasonSender)},
		{StageData, 451, of(spool.Deferred, spool.MessageScope, "")},
		{StageData, 554, of(spool.Failed, spool.MessageScope, "")},
		{StageBody, 552, of(spool.Failed, spool.MessageScope, "")},
		{StageDot, 452, of(spool.Deferred, spool.MessageScope, "")},
		{StageDot, 554, of(spool.Failed, spool.MessageScope, "")},
		{StageDot, 421, server(spool.ReasonShutdown)},
		{StageRcpt, 421, server(spool.ReasonShutdown)},
		{StageGreeting, 554, server(spool.ReasonGreeting)},
		{StageHello, 550, server(spool.ReasonGreeting)},
		{StageStartTLS, 502, server(spool.ReasonTLS)},
		{StageAuth, 535, server(spool.ReasonAuth)},
		{StageAuth, 451, server(spool.ReasonAuthWait)},
		{StageReset, 502, server(spool.ReasonProtocol)},
		{StageDot, 0, server(spool.ReasonProtocol)},
		{StageDot, 99, server(spool.ReasonProtocol)},
		{StageDot, 199, server(spool.ReasonProtocol)},
		{StageDot, 354, server(spool.ReasonProtocol)},
		{StageDot, 600, server(spool.ReasonProtocol)},
		{StageDot, 999, server(spool.ReasonProtocol)},
		{"no such stage", 550, server(spool.ReasonProtocol)},
	} {
		got := Classify(c.stage, c.code, "", "")
		if got.Reply.Code != c.code {
			t.Errorf("%s %d: reply has %d", c.stage, c.code, got.Reply.Code)
		}
		got.Reply = spool.Reply{}
		if got != c.want {
			t.Errorf("%s %d: got %v, want %v", c.stage, c.code, got, c.want)
		}
	}
}

// Before MAIL nothing that a server says fails a message.
func TestClassifyNothingFailsBeforeMail(t *testing.T) {
	for _, stage := range []Stage{StageGreeting, StageHello, StageStartTLS, StageAuth} {
		for code := 400; code < 600; code++ {
			o := Classify(stage, code, "5.7.1", "no")
			if o.Class != spool.Deferred || o.Scope != spool.ServerScope {
				t.Fatalf("%s %d: %v", stage, code, o)
			}
		}
	}
}

// A name with "relay" in it is no refusal to relay.
func TestClassifyRelayInNames(t *testing.T) {
	for _, reply := range []string{
		"550 5.7.1 <a@relay.example.org>: message content rejected",
		"550 5.7.1 relay.example.org has blocked this content",
		"550 5.1.1 relay@example.org no such user",
		"550 no mailbox relay here",
	} {
		if o := classifyRaw(t, StageRcpt, reply); o.Class != spool.Failed {
			t.Errorf("%s: %v", reply, o)
		}
	}
}

// TestClassifyNeighbours holds Classify against variations of the real replies, each at
// every stage where it may come.
func TestClassifyNeighbours(t *testing.T) {
	table, err := os.ReadFile("testdata/neighbours.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 3)
		if len(f) != 3 || strings.HasPrefix(line, "#") {
			continue
		}
		for stage := range strings.SplitSeq(f[0], ",") {
			o := classifyRaw(t, Stage(stage), f[2])
			got := string(o.Scope) + "/" + string(o.Reason)
			if o.Class == spool.Failed {
				got = "F-" + got
			}
			if !strings.HasPrefix(got, f[1]) {
				t.Errorf("%s: %s: got %s, want %s", stage, f[2], got, f[1])
			}
		}
	}
}

// What is the server's own trouble is so at whatever command it is said, for now or for good.
func TestClassifyWhereverItIsSaid(t *testing.T) {
	table, err := os.ReadFile("testdata/replies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(^|\\n)([45])(\d\d[ -])([45]\.)?`)
	other := map[string]string{"4": "5", "5": "4", "4.": "5.", "5.": "4.", "": ""}
	for line := range strings.Lines(string(table)) {
		f := strings.Split(line, "\t")
		if len(f) != 6 || f[3] != "server" || !slices.Contains([]string{"mail", "rcpt", "data", "dot"}, f[0]) || strings.HasPrefix(f[1], "421") {
			continue
		}
		swapped := code.ReplaceAllStringFunc(f[1], func(s string) string {
			m := code.FindStringSubmatch(s)
			return m[1] + other[m[2]] + m[3] + other[m[4]]
		})
		for _, stage := range envelope {
			for _, reply := range []string{f[1], swapped} {
				if o := classifyRaw(t, stage, reply); o.Scope != spool.ServerScope {
					t.Errorf("%s: %s: %v", stage, reply, o)
				}
			}
		}
	}
}
