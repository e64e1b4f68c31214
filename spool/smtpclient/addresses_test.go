package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool/smtpreply"
	"notices/spool/smtptest"
)

// several is a server of several addresses, each with a peer behind it; a nil peer
// refuses connections. dialled counts by address.
func several(t *testing.T, order []string, peers map[string]*smtptest.Server) (s *Server, dialled map[string]int) {
	t.Helper()
	dialled = map[string]int{}
	s = &Server{Name: "1", Host: "mail.example.org", Port: 587, Timeout: long, AllowNonSecure: true, AllowNonSecureLogin: true}
	s.Resolve = func(context.Context, string) ([]string, error) { return order, nil }
	s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		dialled[host]++
		if p := peers[host]; p != nil {
			return p.Dial(ctx, network, address)
		}
		return nil, errors.New("connection refused")
	}
	return s, dialled
}

func says(stage, answer string) func(string, string) string {
	return func(at, _ string) string {
		if at == stage {
			return answer
		}
		return ""
	}
}

// troubles are what an address can do wrong before it takes MAIL.
func troubles(t *testing.T, ca *smtptest.CA) map[string]*smtptest.Server {
	users := map[string]string{"library": "hunter2"}
	list := map[string]*smtptest.Server{"refuses connections": nil}
	for name, o := range map[string]smtptest.Options{
		"421":                {Reply: says("connect", "421 4.3.2 busy")},
		"554":                {Reply: says("connect", "554 5.3.2 no service here")},
		"closes":             {Reply: says("connect", smtptest.Drop)},
		"silent":             {Reply: says("connect", smtptest.Silent)},
		"speaks nonsense":    {Reply: says("connect", "HTTP/1.1 400 Bad Request")},
		"EHLO refused":       {Reply: says("EHLO", "550 5.7.1 no")},
		"EHLO closes":        {Reply: says("EHLO", smtptest.Drop)},
		"no STARTTLS":        {TLS: nil},
		"STARTTLS refused":   {Reply: says("STARTTLS", "454 4.7.0 not now")},
		"TLS breaks":         {Reply: says("STARTTLS", "220 go\n"+smtptest.Drop)},
		"wrong certificate":  {TLS: ca.TLS(t, "other.example.org")},
		"login for now":      {Reply: says("AUTH", "454 4.7.0 try later")},
		"login closes":       {Reply: says("AUTH", smtptest.Drop)},
		"MAIL 421":           {Reply: says("MAIL", "421 4.3.2 shutting down")},
		"MAIL closes":        {Reply: says("MAIL", smtptest.Drop)},
		"MAIL silent":        {Reply: says("MAIL", smtptest.Silent)},
		"client not welcome": {Reply: says("MAIL", "554 5.7.1 <unknown[2001:db8::1]>: Client host rejected: Access denied")},
	} {
		if o.TLS == nil && name != "no STARTTLS" {
			o.TLS = ca.TLS(t, "mail.example.org")
		}
		o.Users, o.ClearLogin = users, true
		list[name] = smtptest.New(t, o)
	}
	return list
}

// deliverAnywhere is what the callers of Open and Send do.
func deliverAnywhere(t *testing.T, s *Server) (string, error) {
	t.Helper()
	for range 10 {
		c, err := Open(t.Context(), s)
		if err != nil {
			return "", err
		}
		r := c.Send(t.Context(), message(hello))
		c.Quit()
		if !r.OtherAddress {
			return briefs(r), nil
		}
	}
	t.Fatal("no end of addresses")
	return "", nil
}

// Whatever step fails before MAIL was accepted, the next address is tried; and in the run
// the one that works is remembered.
func TestNextAddress(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, bad := range troubles(t, ca) {
		t.Run(name, func(t *testing.T) {
			good := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t, "mail.example.org"), Users: map[string]string{"library": "hunter2"}})
			s, dialled := several(t, []string{"2001:db8::1", "192.0.2.1"}, map[string]*smtptest.Server{"2001:db8::1": bad, "192.0.2.1": good})
			s.AllowNonSecure, s.AllowNonSecureLogin, s.Roots = false, false, ca.Pool()
			s.Login, s.Password, s.Addresses = "library", password("hunter2"), new(Addresses)
			if strings.HasSuffix(name, "silent") {
				s.Timeout = 2 * time.Second // more than a busy machine takes for a real answer
			}
			for range 3 {
				if got, err := deliverAnywhere(t, s); err != nil || got != "delivered 250" {
					t.Fatalf("%s, %v", got, err)
				}
			}
			if n := dialled["2001:db8::1"]; n > 2 || n == 2 && name != "TLS breaks" || dialled["192.0.2.1"] != 3 {
				t.Errorf("dialled %v", dialled)
			}
			if len(good.Messages()) != 3 {
				t.Errorf("%d messages", len(good.Messages()))
			}
		})
	}
}

// With allow_non_secure a verified connection to one address goes before any other to
// another; then TLS that could not be verified, then none.
func TestAddressesAndLadder(t *testing.T) {
	ca, other := smtptest.NewCA(t), smtptest.NewCA(t)
	const a, b = "192.0.2.1", "192.0.2.2"
	peer := func(o smtptest.Options) *smtptest.Server { return smtptest.New(t, o) }
	onlyOne := peer(smtptest.Options{})
	defer func() {
		if n := onlyOne.Counts().Connections; n != 1 {
			t.Errorf("%d connections to the only address that answers", n)
		}
	}()
	for name, c := range map[string]struct {
		one, two *smtptest.Server
		want     string // where it goes
		notice   string
	}{
		"second verified":  {peer(smtptest.Options{TLS: other.TLS(t)}), peer(smtptest.Options{TLS: ca.TLS(t)}), b, ""},
		"none verified":    {peer(smtptest.Options{TLS: other.TLS(t)}), peer(smtptest.Options{TLS: other.TLS(t)}), a, "unverified TLS"},
		"no TLS":           {peer(smtptest.Options{TLS: ca.Old(t)}), peer(smtptest.Options{TLS: ca.Old(t)}), a, "no TLS"},
		"second answers":   {nil, onlyOne, b, "no TLS"},
		"first has no TLS": {peer(smtptest.Options{}), peer(smtptest.Options{TLS: ca.TLS(t)}), b, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := several(t, []string{a, b}, map[string]*smtptest.Server{a: c.one, b: c.two})
			s.Roots = ca.Pool()
			conn := open(t, s)
			if conn.address != c.want || !strings.HasPrefix(conn.Notice(), c.notice) || c.notice == "" && conn.Notice() != "" {
				t.Errorf("at %s, notice %q", conn.address, conn.Notice())
			}
			wantOutcomes(t, deliver(t, conn, message(hello)), "delivered 250")
		})
	}
}

// A refused login is the account's: no other address is asked, and so it is with a limit
// said to MAIL.
func TestSameEverywhere(t *testing.T) {
	for name, reply := range map[string]func(string, string) string{
		"auth": says("AUTH", "535 5.7.8 wrong"), "limit": says("MAIL", "450 4.2.1 relay limit exceeded"),
	} {
		t.Run(name, func(t *testing.T) {
			users, ca := map[string]string{"library": "hunter2"}, smtptest.NewCA(t)
			one, two := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: users, Reply: reply}), smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Users: users})
			s, dialled := several(t, []string{"192.0.2.1", "192.0.2.2"}, map[string]*smtptest.Server{"192.0.2.1": one, "192.0.2.2": two})
			s.Roots, s.Login, s.Password = ca.Pool(), "library", password("hunter2")
			got, err := deliverAnywhere(t, s)
			if err == nil && got != "deferred server limit 450" || err != nil && name != "auth" || dialled["192.0.2.2"] != 0 {
				t.Errorf("%s, %v, dialled %v", got, err, dialled)
			}
		})
	}
}

// When all fail, four were tried, each once, and the most telling trouble is told; what
// no address can be blamed for is not remembered against those that worked.
func TestAllAddressesFail(t *testing.T) {
	var order []string
	peers := map[string]*smtptest.Server{}
	for i := range 6 {
		a := fmt.Sprintf("192.0.2.%d", i+1)
		order, peers[a] = append(order, a), nil
	}
	peers["192.0.2.2"] = smtptest.New(t, smtptest.Options{Reply: says("connect", "554 5.3.2 no")})
	s, dialled := several(t, order, peers)
	var steps []Step
	s.Observe = func(step Step) { steps = append(steps, step) }
	_, err := Open(t.Context(), s)
	wantError(t, err, "deferred server greeting 554")
	if len(dialled) != 4 || dialled["192.0.2.1"] != 1 || dialled["192.0.2.4"] != 1 {
		t.Errorf("dialled %v", dialled)
	}
	var shown []string
	for _, step := range steps {
		if step.Stage == smtpreply.StageConnect {
			shown = append(shown, step.Detail)
		}
	}
	if len(shown) != 4 {
		t.Errorf("shown %v", shown)
	}
}

func TestInTurn(t *testing.T) {
	for have, want := range map[string]string{
		"":                    "",
		"1.1.1.1":             "1.1.1.1",
		"::1 ::2 ::3 1.1.1.1": "::1 1.1.1.1 ::2 ::3",
		"1.1.1.1 ::1":         "1.1.1.1 ::1",
		"::1 ::1 ::2":         "::1 ::2",
		"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5":         "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4",
		"::1 ::2 ::3 ::4 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4": "::1 1.1.1.1 ::2 1.1.1.2",
	} {
		if got := inTurn(strings.Fields(have)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v", have, got)
		}
	}
}

// What worked once is tried again before what never did.
func TestAddressesRemember(t *testing.T) {
	list := []string{"a", "b", "c"}
	var known Addresses
	step := func(want string) {
		t.Helper()
		if got := strings.Join(known.candidates(list), " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	step("a b c")
	known.note("a", false)
	step("b c")
	known.note("c", true)
	step("c b")
	known.note("c", false)
	step("b")
	known.note("b", false)
	step("c")
	known.note("c", true)
	step("c")
}
