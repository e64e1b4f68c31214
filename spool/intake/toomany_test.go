package intake

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"notices/spool"
)

// manyAddresses are different ones of so many octets.
func manyAddresses(n, octets int) []string {
	tail := "@" + strings.Repeat(strings.Repeat("x", 49)+".", 5)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%06d", i) + tail[:octets-7] + "x"
	}
	return list
}

// TestTooManyRecipients: spool.MaxRecipients, whatever the way in; the same one twice counts once.
func TestTooManyRecipients(t *testing.T) {
	list := manyAddresses(spool.MaxRecipients+1, 20)
	most := list[:spool.MaxRecipients]
	body := func(to []string) *strings.Reader {
		return strings.NewReader("To: " + strings.Join(to, ",\n ") + "\n\nText.\n")
	}
	for name, c := range map[string]struct {
		r  Request
		ok bool
	}{
		"arguments":              {Request{Recipients: most, Body: body(list[:1])}, true},
		"one more":               {Request{Recipients: list, Body: body(list[:1])}, false},
		"one twice":              {Request{Recipients: append(list[:1:1], most...), Body: body(list[:1])}, true},
		"the header's, too":      {Request{Recipients: most, FromHeader: true, Body: body(list[:9])}, true},
		"one more of the header": {Request{Recipients: most, FromHeader: true, Body: body(list[spool.MaxRecipients:])}, false},
		"an argument of many":    {Request{Recipients: []string{strings.Join(list, ",")}, Qualify: true, Body: body(list[:1])}, false},
	} {
		q, err := newDesk(site).accept(c.r)
		if refused := (*Error)(nil); c.ok != (err == nil) || !c.ok && (!errors.As(err, &refused) || refused.Kind != BadMessage || !strings.Contains(refused.Msg, "50000")) {
			t.Errorf("%s: %v", name, err)
		}
		if c.ok && len(q.Recipients) != spool.MaxRecipients {
			t.Errorf("%s: %d recipients", name, len(q.Recipients))
		}
	}
}

// TestRecipientRoom: the longest addresses fit, with an original of each they do not.
func TestRecipientRoom(t *testing.T) {
	list := manyAddresses(spool.MaxRecipients, 254)
	text := func() *strings.Reader { return strings.NewReader("To: a@example.net\n\nText.\n") }
	if _, err := newDesk(site).accept(Request{Recipients: list, Body: text()}); err != nil {
		t.Error(err)
	}
	originals := make([]string, len(list))
	for i := range originals {
		originals[i] = "rfc822;" + strings.Repeat("x", 400)
	}
	_, err := newDesk(site).accept(Request{Recipients: list, DSN: spool.DSNParams{Originals: originals}, Body: text()})
	if refused := (*Error)(nil); !errors.As(err, &refused) || refused.Kind != BadMessage {
		t.Error(err)
	}
}
