package submission

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"

	"notices/spool/service"
)

// A site may have a fifth of all connections, and an address a fifth that have not logged in,
// but each at least this many.
const leastShare = 20

func share(most int) int { return max(most/5, leastShare) }

// peer is one connection.
type peer struct {
	rules     func() *Rules // of the server, now
	admission *admission
	pace      pace
	from      string       // the address, for the log
	address   netip.Prefix // that it is counted under
	wire      *wire        // since it speaks TLS
	greeted   bool         // before STARTTLS
	meter     Meter

	// site is set once, by the session. Others find it through admission.
	site      *service.Site
	wrongKeys int

	place *list.Element // in admission.anonymous; nil if it has logged in or left
}

func (g *peer) isAnonymous() bool { return g.site == nil }

// addressOf is what a connection is counted under until it logs in: its address, or with IPv6 its
// network of 64 bits, since a customer of a provider has at least that.
func addressOf(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

// admission counts the connections, and those that have not logged in: the anonymous ones.
type admission struct {
	mu        sync.Mutex
	peers     map[*peer]struct{}
	anonymous list.List // the oldest first
	byAddress map[netip.Prefix]int
	bySite    map[string]int
	closing   bool
	empty     chan struct{}              // closed when closing and no connection is left
	told      map[netip.Prefix]time.Time // when the log was last told that one was refused
}

// tellTime is how long the log is not told again that connections from an address are refused. Whoever
// opens very many must not fill the disk.
const tellTime = time.Minute

// isNews reports whether the log is to be told of a connection that is refused.
func (d *admission) isNews(from net.Addr, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	address := addressOf(from)
	if now.Sub(d.told[address]) < tellTime {
		return false
	}
	if d.told == nil || len(d.told) >= maxFailing {
		d.told = map[netip.Prefix]time.Time{}
	}
	d.told[address] = now
	return true
}

// enter admits a connection, or returns the reply that refuses it, without its 421.
func (d *admission) enter(conn net.Conn, most int) (*peer, string) {
	g := &peer{admission: d, address: addressOf(conn.RemoteAddr()), from: hostOf(conn.RemoteAddr())}
	g.pace.raw, g.pace.loginBy = conn, time.Now().Add(loginTime)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closing:
		return nil, stopping
	case len(d.peers) >= most:
		return nil, "4.7.0 too many connections; try again later"
	case d.byAddress[g.address] >= share(most):
		return nil, "4.7.0 too many connections from your address that have not logged in"
	case d.anonymous.Len() >= max(most/2, leastShare):
		// The one that has waited longest is the least likely to log in.
		d.anonymous.Front().Value.(*peer).pace.end("4.7.0 too many connections that have not logged in", true)
	}
	if d.peers == nil {
		d.peers, d.byAddress, d.bySite = map[*peer]struct{}{}, map[netip.Prefix]int{}, map[string]int{}
	}
	d.peers[g] = struct{}{}
	d.byAddress[g.address]++
	g.place = d.anonymous.PushBack(g)
	return g, ""
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// login makes an anonymous connection a site's, unless it has that many connections.
func (d *admission) login(g *peer, site *service.Site, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bySite[site.ID] >= most {
		return false
	}
	d.bySite[site.ID]++
	d.forget(g)
	g.site = site
	return true
}

// forget takes a peer out of the anonymous ones.
func (d *admission) forget(g *peer) {
	if g.place == nil {
		return
	}
	d.anonymous.Remove(g.place)
	g.place = nil
	if d.byAddress[g.address]--; d.byAddress[g.address] == 0 {
		delete(d.byAddress, g.address)
	}
}

// leave is called when the connection is closed. Calling it again does nothing.
func (g *peer) leave() {
	d := g.admission
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, here := d.peers[g]; !here {
		return
	}
	delete(d.peers, g)
	d.forget(g)
	if g.site != nil {
		if d.bySite[g.site.ID]--; d.bySite[g.site.ID] == 0 {
			delete(d.bySite, g.site.ID)
		}
	}
	d.done()
}

// done closes empty when the last one has left.
func (d *admission) done() {
	if d.closing && len(d.peers) == 0 && d.empty != nil {
		close(d.empty)
		d.empty = nil
	}
}

// sites are the sessions that have logged in, by site.
func (d *admission) sites() map[string][]*peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[string][]*peer{}
	for g := range d.peers {
		if g.site != nil {
			found[g.site.ID] = append(found[g.site.ID], g)
		}
	}
	return found
}

// close refuses new connections and ends the others: those in the middle of a message after it, or
// at once if hard is set. The channel that it returns is closed when all have left.
func (d *admission) close(hard bool) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closing = true
	for g := range d.peers {
		g.pace.end(stopping, hard)
	}
	left := d.empty
	if left == nil {
		left = make(chan struct{})
		d.empty = left
	}
	d.done()
	return left
}

// stopping is the reply to all who are connected when the server stops.
const stopping = "4.3.2 the server is stopping; try again"

// count is how many are connected, and how many of them have logged in.
func (d *admission) count() (all, sites int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.peers), len(d.peers) - d.anonymous.Len()
}
