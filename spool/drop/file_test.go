package drop

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"io"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// forged makes a file as hand-in makes it, of any envelope and body.
func forged(env, body string) []byte {
	sum := fnv.New64a()
	io.WriteString(sum, body+env)
	return append(formatHead(int64(len(body)), int64(len(env)), sum.Sum64()), body+env...)
}

func envelope(t testing.TB, change func(*spool.Envelope)) string {
	t.Helper()
	e := spool.Envelope{
		ID: "1P018WH5G00273CT", Sender: "ann@example.org", Recipients: []string{"patron@example.net"},
		QueuedAt: noon.UTC(), MessageID: "<1@example.org>",
	}
	if change != nil {
		change(&e)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const body = "From: ann@example.org\r\nTo: patron@example.net\r\nDate: Wed, 17 Mar 2030 17:46:40 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nPlease bring it back.\r\n"

// readAll parses a file and reads its body, as a run does.
func readAll(b []byte) (*message, string, error) {
	l, err := parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, "", err
	}
	text, err := io.ReadAll(l.body)
	if err == nil {
		err = l.body.check()
	}
	return l, string(text), err
}

func TestFile(t *testing.T) {
	l, text, err := readAll(forged(envelope(t, nil), body))
	if err != nil || text != body || l.env.Sender != "ann@example.org" || !l.env.QueuedAt.Equal(noon) {
		t.Errorf("%+v, %q, %v", l, text, err)
	}
}

func TestDamagedFiles(t *testing.T) {
	whole := forged(envelope(t, nil), body)
	for i := range whole { // no octet may change, and none be missing
		changed := bytes.Clone(whole)
		changed[i] ^= 0x20
		if l, text, err := readAll(changed); err == nil && (text != body || l.env.ID != "1P018WH5G00273CT" || !bytes.EqualFold(changed, whole)) {
			t.Errorf("octet %d changed: accepted as %q", i, text)
		}
		if _, _, err := readAll(whole[:i]); err == nil {
			t.Errorf("%d of %d octets: accepted", i, len(whole))
		}
	}
	if _, _, err := readAll(append(bytes.Clone(whole), 'x')); err == nil {
		t.Error("one octet more: accepted")
	}
}

func TestForgedFiles(t *testing.T) {
	for name, change := range map[string]func(*spool.Envelope){
		"no id":                   func(e *spool.Envelope) { e.ID = "" },
		"a path":                  func(e *spool.Envelope) { e.ID = "../cur/1P018WH5G" },
		"a derived id":            func(e *spool.Envelope) { e.ID += "-1" },
		"a return":                func(e *spool.Envelope) { e.Form = spool.Report },
		"of a hosted site":        func(e *spool.Envelope) { e.Site = "springfield" },
		"expires before its time": func(e *spool.Envelope) { e.ExpiresAt = e.QueuedAt },
		"reports of its own":      func(e *spool.Envelope) { e.Notify = "never,failure" },
		"reports of nobody":       func(e *spool.Envelope) { e.NotifyEach = []string{"never", "never"} },
		"reports of one's own":    func(e *spool.Envelope) { e.NotifyEach = []string{"always"} },
		"a command in an address": func(e *spool.Envelope) { e.Originals = []string{"rfc822;x@y\r\nDATA"} },
		"an address without type": func(e *spool.Envelope) { e.Originals = []string{"x@y"} },
		"a header in the id":      func(e *spool.Envelope) { e.EnvelopeID = "x\r\nBcc: y" },
		"no recipient":            func(e *spool.Envelope) { e.Recipients = nil },
	} {
		if _, _, err := readAll(forged(envelope(t, change), body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, file := range map[string][]byte{
		"nothing":             {},
		"a mail":              []byte(strings.Repeat(body, 3)),
		"no object":           forged("[]", body),
		"half an object":      forged(`{"id":`, body),
		"a longer body":       append(formatHead(1<<40, 2, 0), "{}"...),
		"a negative body":     append(formatHead(-1, 2, 0), "{}"...),
		"lengths that wrap":   append(formatHead(-1<<63, -1<<63+2, 0), "{}"...),
		"an endless envelope": append(formatHead(0, maxEnvelope+1, 0), make([]byte, maxEnvelope+1)...),
	} {
		if _, _, err := readAll(file); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzFile: whatever a user puts there, it is a message of this form or none, and
// nothing panics.
func FuzzFile(f *testing.F) {
	f.Add(forged(envelope(f, nil), body))
	f.Add(forged(envelope(f, func(e *spool.Envelope) { e.ReturnTo, e.ExpiresAt = "b@example.org", e.QueuedAt.Add(time.Hour) }), ""))
	f.Add(forged(envelope(f, func(e *spool.Envelope) {
		e.NotifyEach, e.Originals, e.EnvelopeID = []string{"success"}, []string{"utf-8;\u00fc@example.net"}, "run-7"
	}), body))
	f.Add(forged(`{"id":"1P018WH5G00273CT","queued_at":"9999-12-31T23:59:59Z","recipients":["\r\n"]}`, body))
	f.Add(formatHead(1<<62, 1<<19, 1))
	f.Add([]byte(headForm[:15]))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, text, err := readAll(b)
		if err != nil {
			return
		}
		if !isNewID(l.env.ID) || len(l.env.Recipients) == 0 || l.env.Form != spool.Ordinary || l.env.Site != "" || l.env.DSNParams.Check(len(l.env.Recipients)) != nil || len(text) > len(b)-headSize {
			t.Errorf("accepted: %+v", l.env)
		}
	})
}
