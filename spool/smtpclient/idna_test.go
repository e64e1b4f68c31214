package smtpclient

import (
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// A domain in another script goes as xn--, whatever the server offers; a local part
// cannot.
func TestDomainsOfOtherScripts(t *testing.T) {
	for _, o := range []smtptest.Options{{}, {SMTPUTF8: true}} {
		for address, want := range map[string]string{
			"b@bücher.example":        "b@xn--bcher-kva.example",
			"b@BÜCHER.Example":        "b@xn--bcher-kva.example",
			"b@bücher\u3002example":   "b@xn--bcher-kva.example", // ideographic full stop
			"b@bücher\uff0eexample":   "b@xn--bcher-kva.example", // full-width full stop
			"b@ｂücher.example":        "b@xn--bcher-kva.example", // a full-width letter
			"b@図書館.example":           "b@xn--lcss68aj21b.example",
			"b@straße.example":        "b@xn--strae-oqa.example",
			"b@xn--bcher-kva.example": "b@xn--bcher-kva.example",
			"b@Plain.Example":         "b@Plain.Example",
			"b@ü_x.example":           "", // STD 3: no underscore beside it
			"b@ü..example":            "",
			"b@\u200dü.example":       "",
		} {
			srv := smtptest.New(t, o)
			c := open(t, inClear(srv))
			tr := message(hello, "ok@example.org", address)
			if want != "" {
				tr.Sender = address
			}
			r := c.Send(t.Context(), tr)
			m := srv.Messages()
			if len(m) != 1 || r.Outcomes[0].Class != "delivered" {
				t.Fatalf("%s: %+v", address, r.Outcomes)
			}
			if want == "" {
				if brief(r.Outcomes[1]) != "failed recipient 0" || !strings.Contains(r.Outcomes[1].Reply.Text, "address") {
					t.Errorf("%s: %+v", address, r.Outcomes[1])
				}
				continue
			}
			if m[0].Sender != want || m[0].Recipients[1] != want || m[0].UTF8 {
				t.Errorf("%s: %+v", address, m[0])
			}
			c.Close()
		}
	}
	srv := smtptest.New(t, smtptest.Options{})
	r := open(t, inClear(srv)).Send(t.Context(), message(hello, "bücher@bücher.example"))
	wantOutcomes(t, r, "failed message cannot 0")
}
