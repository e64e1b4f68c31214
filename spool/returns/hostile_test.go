package returns

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// endless repeats a text for ever, and counts what was read of it.
type endless struct {
	head, text string
	read       int64
	at         int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	if e.head = e.head[n:]; n == 0 {
		n = copy(p, e.text[e.at:])
		e.at = (e.at + n) % len(e.text)
	}
	e.read += int64(n)
	return n, nil
}

const multipart = "Content-Type: multipart/mixed; boundary=b\n\n"

// TestBombs: whatever comes, and however much of it, MaxRead octets are read, and the memory that
// is used, all in all, is some dozens of that. That bounds the time, too.
func TestBombs(t *testing.T) {
	const statusPart = "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
	const daemon = "From: mailer-daemon@example.net\n\nThe following address(es) failed:\n\n"
	zeros := base64.StdEncoding.EncodeToString(make([]byte, 3<<10)) + "\n"
	for name, e := range map[string]*endless{
		"one line":              {text: "x"},
		"one line of a body":    {head: "Subject: x\n\n", text: "x"},
		"blank lines":           {text: "\n"},
		"a header":              {text: "To: ann@example.net\n"},
		"one field":             {head: "To: ann@example.net", text: ",\n ann@example.net"},
		"one field of words":    {head: "Subject: ", text: "=?utf-8?q?x?= "},
		"message ids":           {head: "References: ", text: "<a@b>\n "},
		"tiny parts":            {head: multipart, text: "--b\n\n"},
		"parts with a header":   {head: multipart, text: "--b\nContent-Type: text/plain\n\nx\n"},
		"a boundary":            {head: "Content-Type: multipart/mixed; boundary=", text: "b"},
		"levels":                {text: multipart + "--b\n"},
		"messages":              {text: "Content-Type: message/rfc822\n\n"},
		"reports in messages":   {text: "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"},
		"base64":                {head: "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n", text: zeros},
		"base64 of base64":      {head: multipart, text: "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + zeros},
		"recipients":            {head: statusPart, text: "Final-Recipient: rfc822; ann@example.net\nAction: failed\n\n"},
		"recipients, no blanks": {head: statusPart, text: "Final-Recipient: rfc822; ann@example.net\nAction: failed\n"},
		"blank blocks":          {head: statusPart, text: "\n"},
		"lines of no field":     {head: statusPart, text: "x\n"},
		"statuses":              {head: multipart, text: "--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: a@b.example\nStatus: 5.1.1\n"},
		"a diagnostic":          {head: statusPart + "Final-Recipient: a@b.example\nDiagnostic-Code: smtp; 550", text: " 550-5.1.1 x\n"},
		"words":                 {head: daemon, text: "ann@example.net 550 5.1.1 no\n"},
		"words about one":       {head: daemon + "ann@example.net\n", text: " 5.1.1 550 #550 (550"},
		"HTML":                  {head: "From: mailer-daemon@example.net\nContent-Type: text/html\n\n", text: "<p"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := Parse(e)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if e.read > MaxRead {
				t.Errorf("%d octets were read", e.read)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64*MaxRead {
				t.Errorf("%d MiB of memory were used", used>>20)
			}
			checkBounds(t, r)
		})
	}
}

// checkBounds checks what must hold for whatever was read.
func checkBounds(t *testing.T, r *Return) {
	t.Helper()
	if len(r.Recipients) > maxRecipients || len(r.IDs)+len(r.MessageIDs)+len(r.Addressees) > 10*maxIDs {
		t.Errorf("%d recipients, %d ids, %d message ids, %d addressees", len(r.Recipients), len(r.IDs), len(r.MessageIDs), len(r.Addressees))
	}
	oneLine := func(what, s string, octets int) {
		if len(s) > octets || strings.ContainsAny(s, "\r\n\x00\x1b") {
			t.Errorf("%s: %.100q", what, s)
		}
	}
	for i := range r.Recipients {
		c := &r.Recipients[i]
		oneLine("final", c.Final, 254)
		oneLine("original", c.Original, 254)
		oneLine("text", c.Text, 500)
		oneLine("host", c.RemoteMTA, 255)
		oneLine("status", c.Status, 9)
		if c.Final == "" && c.Original == "" || c.Kind == "" || c.Code != 0 && (c.Code < 400 || c.Code > 599) {
			t.Errorf("recipient %+v", c)
		}
	}
	oneLine("envelope id", r.EnvelopeID, 500)
	oneLine("reporting", r.ReportingMTA, 255)
	if (r.Kind == Failed || r.Kind == Delayed) != (len(r.Recipients) > 0 && r.Kind != Succeeded) {
		t.Errorf("%s with %d recipients", r.Kind, len(r.Recipients))
	}
}

// TestDeep: a return that is 1,000 levels deep is not found, and one at the eighth is.
func TestDeep(t *testing.T) {
	b, err := io.ReadAll(strings.NewReader(string(samples(t)["dsn-postfix"])))
	if err != nil {
		t.Fatal(err)
	}
	for levels, want := range map[int]Kind{7: Failed, 8: NotReturn, 1000: NotReturn} {
		message := bytes.NewBufferString("From: mailer-daemon@example.net\n")
		for i := range levels {
			fmt.Fprintf(message, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		message.Write(b)
		if r, err := Parse(message); err != nil || r.Kind != want {
			t.Errorf("%d levels: %s, %v", levels, r.Kind, err)
		}
	}
}

// TestReadError: an error of the reader is not taken for the end of the message.
func TestReadError(t *testing.T) {
	lost := errors.New("connection lost")
	if r, err := Parse(io.MultiReader(bytes.NewReader(samples(t)["dsn-postfix"]), failing{lost})); !errors.Is(err, lost) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// TestSubjectsStayOut: nothing of what a message says gets among what is kept of its return.
func TestSubjectsStayOut(t *testing.T) {
	for name, b := range samples(t) {
		r, err := Parse(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprintf("%+v", r); strings.Contains(all, "notice from your library") || strings.Contains(all, "come and see us") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

// FuzzParse: no input makes Parse panic or break its bounds.
func FuzzParse(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		checkBounds(t, r)
	})
}
