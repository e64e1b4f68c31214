package smtpclient

import (
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

// Beginnings of scripts of a server that offers DSN.
const (
	withDSN     = "> 220 hello\n< EHLO me.example.org\n> 250-hello\n> 250-pipelining\n> 250 dsn\n"
	lockstepDSN = "> 220 hello\n< EHLO me.example.org\n> 250-hello\n> 250 DSN\n"
)

// TestDSNParameters: what the sender asked for, octet for octet; to a server that
// offers DSN only.
func TestDSNParameters(t *testing.T) {
	for name, c := range map[string]struct {
		asked    *spool.DSNParams
		id       string
		mail     string
		b, c     string
		relayed  string // the outcomes where DSN is not offered
		transfer string // and where it is
	}{
		"nothing": {asked: nil},
		"success": {
			asked: &spool.DSNParams{Notify: "success"},
			b:     " NOTIFY=SUCCESS ORCPT=rfc822;b@example.org", c: " NOTIFY=SUCCESS ORCPT=rfc822;c@example.org",
			relayed: "delivered relayed 250, delivered relayed 250",
		},
		"all words": {
			asked: &spool.DSNParams{Notify: "delay,failure,success,failure", ReturnFull: true, EnvelopeID: "run+7=a b"},
			mail:  " RET=FULL ENVID=run+2B7+3Da+20b",
			b:     " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b@example.org", c: " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;c@example.org",
			relayed: "delivered relayed 250, delivered relayed 250",
		},
		"each its own": {
			asked: &spool.DSNParams{Notify: "success", NotifyEach: []string{"never", "success"}, Originals: []string{"", "rfc822;C+x@example.net"}},
			b:     " NOTIFY=NEVER ORCPT=rfc822;b@example.org", c: " NOTIFY=SUCCESS ORCPT=rfc822;C+2Bx@example.net",
			relayed: "delivered 250, delivered relayed 250",
		},
		"an original address alone": {
			asked: &spool.DSNParams{Originals: []string{"utf-8;jürgen@example.net", ""}},
			b:     ` ORCPT=utf-8;j\x{FC}rgen@example.net`,
		},
		"nothing, and an id of ours": {id: "0AAAAAAAAAAAAAAA-1", mail: " ENVID=0AAAAAAAAAAAAAAA-1"},
		"success, and an id of ours": {
			id: "0A", asked: &spool.DSNParams{Notify: "success", ReturnHeaders: true}, mail: " RET=HDRS ENVID=0A",
			b: " NOTIFY=SUCCESS ORCPT=rfc822;b@example.org", c: " NOTIFY=SUCCESS ORCPT=rfc822;c@example.org",
			relayed: "delivered relayed 250, delivered relayed 250",
		},
		"an id, and one of ours": {id: "0A", asked: &spool.DSNParams{EnvelopeID: "7"}, mail: " ENVID=7"},
		"of the message alone":   {asked: &spool.DSNParams{ReturnHeaders: true, EnvelopeID: "7"}, mail: " RET=HDRS ENVID=7"},
	} {
		for begin, offered := range map[string]bool{pipelining: false, lockstep: false, withDSN: true, lockstepDSN: true} {
			t.Run(name, func(t *testing.T) {
				mail, b, cc, want := "", "", "", c.relayed
				if offered {
					mail, b, cc, want = c.mail, c.b, c.c, ""
				}
				if want == "" {
					want = "delivered 250, delivered 250"
				}
				lines := []string{"< MAIL FROM:<a@example.org>" + mail, "< RCPT TO:<b@example.org>" + b, "< RCPT TO:<c@example.org>" + cc, "< DATA"}
				answers := []string{"> 250 ok", "> 250 ok", "> 250 ok", "> 354 go"}
				script := begin
				if strings.Contains(strings.ToUpper(begin), "PIPELINING") {
					script += strings.Join(lines, "\n") + "\n" + strings.Join(answers, "\n")
				} else {
					for i := range lines {
						script += lines[i] + "\n" + answers[i] + "\n"
					}
				}
				tr := message(hello, "b@example.org", "c@example.org")
				tr.DSN, tr.EnvelopeID = c.asked, c.id
				r, conn := play(t, script+"\nbody\n> 250 queued\n"+quit, tr)
				wantOutcomes(t, r, want)
				conn.Quit()
			})
		}
	}
}

// TestRelayedIsOnlyWhatWasTaken: a recipient that was refused, or whose outcome is not known, was not
// handed on.
func TestRelayedIsOnlyWhatWasTaken(t *testing.T) {
	three := []string{"b@example.org", "c@example.org", "d@example.org"}
	rcpts := "< MAIL *\n< RCPT *\n< RCPT *\n< RCPT *\n< DATA\n> 250 ok\n> 250 ok\n> 450 busy\n> 550 no\n> 354 go\nbody\n"
	for end, want := range map[string]string{
		"> 250 ok":       "delivered relayed 250, deferred recipient 450, failed recipient 550",
		"> 451 not now":  "deferred message 451, deferred recipient 450, failed recipient 550",
		"> 554 5.7.1 no": "failed message 554, deferred recipient 450, failed recipient 550",
		"drop":           "uncertain message lost 0, deferred recipient 450, failed recipient 550",
	} {
		tr := message(hello, three...)
		tr.DSN = &spool.DSNParams{Notify: "success"}
		r, _ := play(t, pipelining+rcpts+end, tr)
		wantOutcomes(t, r, want)
	}
}

// TestDSNOfTheNextMessage: what was asked for one message is not asked for the next one.
func TestDSNOfTheNextMessage(t *testing.T) {
	for name, c := range map[string]struct{ asked, begin, first, want string }{
		"offered":     {"success", withDSN, " NOTIFY=SUCCESS ORCPT=rfc822;b@example.org", "delivered 250"},
		"not offered": {"success", pipelining, "", "delivered relayed 250"},
	} {
		t.Run(name, func(t *testing.T) {
			p := smtptest.Script(t, c.begin+"< MAIL *\n< RCPT *\n< DATA\n"+accepted+"> 250 first\n"+flight+accepted+"> 250 second\n"+quit)
			conn := open(t, inClear(p))
			tr := message(hello)
			tr.DSN = &spool.DSNParams{Notify: c.asked}
			wantOutcomes(t, deliver(t, conn, tr), c.want)
			wantOutcomes(t, deliver(t, conn, message(hello)), "delivered 250")
			conn.Quit()
			p.Close()
			if got := p.Received(1); !strings.Contains(got, "RCPT TO:<b@example.org>"+c.first+"\r\n") || strings.Count(got, "NOTIFY") != strings.Count(c.first, "NOTIFY") {
				t.Errorf("sent %q", got)
			}
		})
	}
}

// TestDSNOfManyRecipients: long parameters do not let both sides wait for each other,
// and a server of another make reads them.
func TestDSNOfManyRecipients(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{DSN: true})
	c := open(t, inClear(srv))
	tr := message(hello)
	tr.Recipients, tr.DSN = nil, &spool.DSNParams{EnvelopeID: strings.Repeat("x", 100)}
	for range 600 {
		tr.Recipients = append(tr.Recipients, "patron@example.org")
		tr.DSN.Originals = append(tr.DSN.Originals, "rfc822;"+strings.Repeat("+", 160))
		tr.DSN.NotifyEach = append(tr.DSN.NotifyEach, "success,failure,delay")
	}
	r := deliver(t, c, tr)
	for i, o := range r.Outcomes {
		if brief(o) != "delivered 250" {
			t.Fatalf("%d: %s (%v)", i, brief(o), o)
		}
	}
}

// TestEnvelopeIDRefused: a proxy offers DSN and takes no ENVID. The message goes without ours,
// and so does the next one. What the sender asked for is not left out.
func TestEnvelopeIDRefused(t *testing.T) {
	const refused = "< MAIL FROM:<a@example.org> ENVID=0A\n< RCPT *\n< DATA\n> 555 5.5.4 unsupported option: ENVID\n> 503 MAIL first\n> 503 RCPT first\n"
	const without = "< MAIL FROM:<a@example.org>\n< RCPT *\n< DATA\n" + accepted
	p := smtptest.Script(t, withDSN+refused+without+"> 250 first\n"+without+"> 250 second\n"+quit)
	conn := open(t, inClear(p))
	for range 2 {
		tr := message(hello)
		tr.EnvelopeID = "0A"
		wantOutcomes(t, deliver(t, conn, tr), "delivered 250")
	}
	conn.Quit()

	tr := message(hello)
	tr.DSN, tr.EnvelopeID = &spool.DSNParams{EnvelopeID: "0A"}, "0B"
	r, conn := play(t, withDSN+refused+quit, tr)
	wantOutcomes(t, r, "failed message cannot 555")
	conn.Quit()
}
