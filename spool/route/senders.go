package route

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"notices/spool"
)

// Branches of a site may have accounts of their own: a server with Senders takes mail
// from these alone. A message goes to the servers that name its sender, else to those that
// name nobody.

// serversFor returns the servers for a message, in their order; none: nobody takes mail
// from that sender.
func (r *Route) serversFor(sender string, recipients []string) []*server {
	if !r.branches {
		return r.servers
	}
	from := sender
	if sender == "" && len(recipients) > 0 {
		// A report goes the way of the mail that it is about, whose sender it goes to.
		from = recipients[0]
	}
	named := r.serversThat(func(s *server) bool { return s.config.Names(from) })
	if len(named) == 0 {
		named = r.serversThat(func(s *server) bool { return len(s.config.Senders) == 0 })
	}
	if len(named) == 0 && sender == "" {
		return r.servers
	}
	return named
}

func (r *Route) serversThat(takes func(*server) bool) []*server {
	var list []*server
	for _, s := range r.servers {
		if takes(s) {
			list = append(list, s)
		}
	}
	return list
}

// Names reports whether the server's Senders have an address, or a whole domain as
// "@branch.example.org".
func (s *Server) Names(sender string) bool {
	key := senderKey(sender)
	return slices.ContainsFunc(s.Senders, func(entry string) bool {
		entry = senderKey(entry)
		return entry == key || strings.HasPrefix(entry, "@") && strings.HasSuffix(key, entry)
	})
}

// senderKey is an address, or a domain with its @, in the one form that is compared:
// providers tell no accounts apart by case.
func senderKey(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return strings.ToLower(address)
	}
	return strings.ToLower(address[:i+1]) + asciiDomain(address[i+1:])
}

// Group names the servers that mail of a sender goes to: messages of one group find the
// same servers up or down.
func (r *Route) Group(sender string, recipients []string) string {
	if !r.branches {
		return ""
	}
	servers := r.serversFor(sender, recipients)
	if len(servers) == 0 {
		return sender
	}
	var b strings.Builder
	for _, s := range servers {
		b.WriteString(strconv.Quote(s.config.Name))
	}
	return b.String()
}

// unnamed tells that no server takes mail from the sender.
func (r *Route) unnamed(sender string) spool.Delivery {
	return spool.Delivery{Wait: spool.NoServer, Outcomes: []spool.Outcome{{
		Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonNoServer,
		Reply: spool.Reply{At: r.now(), Text: UnnamedText(sender)},
	}}}
}

// UnnamedText says what to do about a sender that no server takes mail from.
func UnnamedText(sender string) string {
	return fmt.Sprintf("no server takes mail from %s: each [[server]] has senders, and none has this address; add it to one of them, or add a server without senders", sender)
}

// Takes reports whether one of the servers takes mail from a sender.
func Takes(servers []Server, sender string) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return len(s.Senders) == 0 || s.Names(sender) })
}

// Instead looks for servers in place of servers[i], which is down. name is the first one
// that takes mail of the same senders; left are those Senders of it that no server is left
// for. A server without Senders has no name for them: name is empty when none is left.
func Instead(servers []Server, i int, down func(i int) bool) (name string, left []string) {
	find := func(takes func(s *Server) bool) bool {
		for k := range servers {
			if k != i && !down(k) && takes(&servers[k]) {
				name = cmp.Or(name, servers[k].Name)
				return true
			}
		}
		return false
	}
	if len(servers[i].Senders) == 0 {
		find(func(s *Server) bool { return len(s.Senders) == 0 })
	}
	for _, entry := range servers[i].Senders {
		if !find(func(s *Server) bool { return s.Names(entry) }) {
			left = append(left, entry)
		}
	}
	return name, left
}

// TestSender is the sender of test mail through a server: the site's address if the server
// takes mail from it, else the first that it names.
func (s *Server) TestSender(site string) string {
	if len(s.Senders) == 0 || s.Names(site) {
		return site
	}
	if first := s.Senders[0]; !strings.HasPrefix(first, "@") {
		return first
	}
	local, _, _ := strings.Cut(site, "@")
	return local + s.Senders[0]
}
