package spool

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNotifies(t *testing.T) {
	for notify, want := range map[string]string{
		"": "failure delay", "never": "", "success": "success", "delay": "delay", "failure,success": "failure success",
	} {
		a := DSNParams{Notify: notify}
		var got []string
		for _, word := range []string{OnFailure, OnDelay, OnSuccess} {
			if a.Notifies(word, 3) {
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("NOTIFY=%s: %v, want %s", notify, got, want)
		}
	}
}

func words(t *rapid.T, label string) string {
	return rapid.SampledFrom([]string{"", "never", "success", "failure", "delay", "success,failure", "failure,delay,success"}).Draw(t, label)
}

// TestEachKeepsWhatWasAsked: in whatever form it is kept, and through JSON, each
// recipient has what was asked for him; and a program that knows no more than Notify
// tells everything that any of them wants to hear.
func TestEachKeepsWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "n")
		var notify, originals []string
		for i := range n {
			notify = append(notify, words(t, "notify"+strconv.Itoa(i)))
			originals = append(originals, rapid.SampledFrom([]string{"", "rfc822;a+b@x"}).Draw(t, "original"))
		}
		var a, again DSNParams
		a.SetForEach(notify, originals)
		text, err := json.Marshal(a)
		if err == nil {
			err = json.Unmarshal(text, &again)
		}
		if err != nil || again.Check(n) != nil {
			t.Fatal(err, again.Check(n))
		}
		older := DSNParams{Notify: again.Notify}
		for i := range n {
			one := again.Subset([]int{i})
			if again.OriginalOf(i) != originals[i] || one.OriginalOf(0) != originals[i] {
				t.Fatalf("%d: original %q, %q, want %q", i, again.OriginalOf(i), one.OriginalOf(0), originals[i])
			}
			for _, word := range []string{OnFailure, OnDelay, OnSuccess} {
				want := (&DSNParams{Notify: notify[i]}).Notifies(word, 0)
				if again.Notifies(word, i) != want || one.Notifies(word, 0) != want || want && !older.Notifies(word, i) {
					t.Fatalf("%d, %s: %v, %v, want %v; older: %v", i, word, again.Notifies(word, i), one.Notifies(word, 0), want, older.Notifies(word, i))
				}
			}
		}
	})
}

// An envelope of before there was anything for single recipients reads as it did.
func TestOldEnvelope(t *testing.T) {
	var e Envelope
	err := json.Unmarshal([]byte(`{"id":"A","recipients":["a@x"],"notify":"failure","return_headers":true,"envelope_id":"run-7"}`), &e)
	if err != nil || e.Notify != "failure" || !e.ReturnHeaders || e.EnvelopeID != "run-7" || e.Notifies(OnDelay, 0) {
		t.Errorf("%+v, %v", e, err)
	}
	text, err := json.Marshal(Envelope{ID: "A"})
	if err != nil || strings.Contains(string(text), "notify") || strings.Contains(string(text), "Asked") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCheckDSNParams(t *testing.T) {
	for name, a := range map[string]DSNParams{
		"words":            {Notify: "always"},
		"never with more":  {Notify: "never,failure"},
		"no word":          {Notify: "failure,"},
		"one too few":      {NotifyEach: []string{"never"}},
		"one is wrong":     {NotifyEach: []string{"never", "NEVER"}},
		"originals":        {Originals: []string{"rfc822;a@x"}},
		"no type":          {Originals: []string{"", "a@x"}},
		"no address":       {Originals: []string{"", "rfc822;"}},
		"a line end":       {Originals: []string{"", "rfc822;a@x\r\nRCPT TO:<b@x>"}},
		"a type of two":    {Originals: []string{"", "rfc822 x;a@x"}},
		"not ASCII":        {Originals: []string{"", "rfc822;ü@x"}},
		"a hidden line":    {Originals: []string{"", "utf-8;ü@x\n"}},
		"no UTF-8":         {Originals: []string{"", "utf-8;\xff@x"}},
		"too long":         {Originals: []string{"", "rfc822;" + strings.Repeat("x", 500)}},
		"too long encoded": {EnvelopeID: strings.Repeat("+", 34)},
		"id with line end": {EnvelopeID: "a\r\nb"},
		"id not ASCII":     {EnvelopeID: "ü"},
		"both":             {ReturnFull: true, ReturnHeaders: true},
	} {
		if a.Check(2) == nil {
			t.Errorf("%s: %+v passes", name, a)
		}
	}
	for _, a := range []DSNParams{
		{}, {Notify: "never"}, {Notify: "success,failure,delay", ReturnFull: true, EnvelopeID: strings.Repeat("x", 100)},
		{NotifyEach: []string{"", "never"}, Originals: []string{"utf-8;jürgen@bücher.example", "x400;C=de; A=b"}, EnvelopeID: "run 7"},
	} {
		if err := a.Check(2); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// decodeXtext is RFC 3461 section 4 read the other way.
func decodeXtext(t *rapid.T, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '=' {
			t.Fatalf("%q has %q in it", s, s[i])
		}
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String()
}

func TestXtext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ -~]{0,40}`).Draw(t, "s")
		if got := decodeXtext(t, string(AppendXtext(nil, s))); got != s {
			t.Fatalf("%q comes back as %q", s, got)
		}
	})
	for address, want := range map[string]string{
		"rfc822;a+b=c@x.org":        "rfc822;a+2Bb+3Dc@x.org",
		`rfc822;"a b"@x.org`:        `rfc822;"a+20b"@x.org`,
		"utf-8;jürgen+x@bücher.org": `utf-8;j\x{FC}rgen\x{2B}x@b\x{FC}cher.org`,
		`utf-8;a\b@x`:               `utf-8;a\x{5C}b@x`,
	} {
		if got := string(AppendOriginal(nil, address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// A message goes to failed/ because its sender does not want to hear of one recipient,
// and is queued afresh: who was returned is not tried again.
func TestFreshRetryOfTheUnreturned(t *testing.T) {
	r := NewRecord(Envelope{
		ID: "A", Sender: "s@example.org", Recipients: []string{"a@x", "b@x"}, DSNParams: DSNParams{Notify: "failure", NotifyEach: []string{"never", "failure"}},
	})
	r.Apply(Event{Kind: Result, N: 1, Results: []Answer{answer(Failed, "no such user", 0, 1)}})
	if r.UnreturnedIn() != 1 || !r.Unreturned() {
		t.Errorf("failed: %+v", r)
	}
	r.Apply(Event{Kind: Returned, N: 1})
	if r.UnreturnedIn() != 0 || !r.Unreturned() {
		t.Errorf("returned: %+v", r)
	}
	r.Apply(Event{Kind: GiveUp})
	r.Apply(Event{Kind: Retry, Fresh: true})
	if got := r.Pending(); len(got) != 1 || got[0] != 0 || r.Unreturned() {
		t.Errorf("pending afresh: %v, unreturned: %v", got, r.Unreturned())
	}
}

func TestUnreportedIn(t *testing.T) {
	handedOn := Answer{Outcome: Outcome{Class: Delivered, Reason: ReasonRelayed}, To: []int{1}}
	r := record("a@x", "b@x")
	r.Apply(Event{Kind: Result, N: 2, Results: []Answer{answer(Delivered, "ok", 0), handedOn}})
	if r.UnreportedIn() != 2 || len(r.RelayedIn(2)) != 1 || len(r.Pending()) != 0 {
		t.Errorf("handed on: %+v", r)
	}
	r.Apply(Event{Kind: Relayed, N: 2})
	if r.UnreportedIn() != 0 {
		t.Errorf("told: %+v", r)
	}
	r.RelayReportedIn, r.Envelope.Sender = 0, ""
	if r.UnreportedIn() != 0 {
		t.Error("the null sender is to be told")
	}
}
