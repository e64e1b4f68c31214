package submission

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
	ended   bool
}

func (f *from) RemoteAddr() net.Addr { return f.address }

func (f *from) SetReadDeadline(t time.Time) error {
	f.ended = t.Before(time.Now())
	return nil
}

func tcp(ip string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 25))
}

// TestAddressOf: what counts as one address.
func TestAddressOf(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := addressOf(tcp(ip)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", ip, got, want)
		}
	}
}

// TestAdmission: connections that have not logged in may be half of all. If they are, the oldest of
// them has to go, from whatever address the next one comes.
func TestAdmission(t *testing.T) {
	const most = 100
	d := &admission{}
	var conns []*from
	enter := func(ip string) string {
		t.Helper()
		c := &from{address: tcp(ip)}
		conns = append(conns, c)
		_, why := d.enter(c, most)
		return why
	}
	for i := range most / 2 {
		if why := enter(fmt.Sprintf("192.0.2.%d", i)); why != "" {
			t.Fatal(why)
		}
	}
	if conns[0].ended {
		t.Error("the oldest was ended too early")
	}
	if why := enter("198.51.100.1"); why != "" || !conns[0].ended || conns[1].ended {
		t.Errorf("%q; the oldest is ended: %v, the next one: %v", why, conns[0].ended, conns[1].ended)
	}
	for i := range share(most) {
		if why := enter(fmt.Sprintf("2001:db8::%x", i)); why != "" {
			t.Fatal(why)
		}
	}
	if why := enter("2001:db8::ffff"); why == "" {
		t.Error("one network has more than its share")
	}
	if why := enter("2001:db8:0:1::1"); why != "" {
		t.Errorf("the next network: %s", why)
	}
}

// TestThrottle: each wrong key for the same site, or from the same address, takes longer, up to a
// limit and for a while. What is remembered has a limit, too.
func TestThrottle(t *testing.T) {
	var th throttle
	now := time.Unix(1_900_000_000, 0)
	at := func(n int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
	}
	for i, want := range []time.Duration{firstDelay, 2 * firstDelay, 4 * firstDelay, 8 * firstDelay, maxDelay, maxDelay} {
		if got := th.failed(at(i), "library", now); got != want {
			t.Errorf("wrong key %d for one site: %v, want %v", i+1, got, want)
		}
	}
	if got := th.failed(at(0), "school", now); got != 2*firstDelay {
		t.Errorf("the second one from an address: %v", got)
	}
	now = now.Add(forgetAfter + time.Second)
	if got := th.failed(at(0), "library", now); got != firstDelay {
		t.Errorf("after a pause: %v", got)
	}
	for i := range 2 * maxFailing {
		th.failed(at(i), fmt.Sprint("site", i), now)
		if len(th.failing) > maxFailing {
			t.Fatalf("%d are remembered", len(th.failing))
		}
	}
	now = now.Add(forgetAfter + time.Second)
	for i := range maxFailing / 2 {
		th.failed(at(i), "library", now)
	}
	if _, ok := th.failing["library"]; !ok || len(th.failing) > maxFailing {
		t.Errorf("%d are remembered, the last one: %v", len(th.failing), ok)
	}
}
