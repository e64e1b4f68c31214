package route

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"notices/spool"
	"notices/spool/recode"
)

// Branches of a site may have accounts of their own: a server with Senders takes mail only from
// these. A message goes to the servers that list its sender, else to those that list none.

// serversFor returns the servers for a message, in their order; none: no server accepts mail from
// that sender.
func (r *Route) serversFor(sender string, recipients []string) []*server {
	if !r.bySender {
		return r.servers
	}
	from := sender
	if sender == "" && len(recipients) > 0 {
		// A report goes to the same servers as the mail that it is about, whose sender gets it.
		from = recipients[0]
	}
	named := slices.DeleteFunc(slices.Clone(r.servers), func(s *server) bool { return !s.config.ListsSender(from) })
	if len(named) == 0 {
		named = slices.DeleteFunc(slices.Clone(r.servers), func(s *server) bool { return len(s.config.Senders) > 0 })
	}
	if len(named) == 0 && sender == "" {
		return r.servers
	}
	return named
}

// ListsSender reports whether the server's Senders contain an address, or its domain as
// "@branch.example.org".
func (s *Server) ListsSender(sender string) bool {
	key := senderKey(sender)
	return slices.ContainsFunc(s.Senders, func(entry string) bool {
		entry = senderKey(entry)
		return entry == key || strings.HasPrefix(entry, "@") && strings.HasSuffix(key, entry)
	})
}

// senderKey is an address, or a domain with its @, in the form that is compared: providers do not
// tell accounts apart by case.
func senderKey(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	return strings.ToLower(address[:at]) + recode.HeaderAddress(strings.ToLower(address[at:]))
}

// Group names the servers that mail of a sender goes to: messages of one group have the same
// servers.
func (r *Route) Group(sender string, recipients []string) string {
	if !r.bySender {
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

// noServerFor is the result when no server accepts mail from the sender.
func (r *Route) noServerFor(sender string) spool.Delivery {
	return spool.Delivery{Wait: spool.NoServer, Outcomes: []spool.Outcome{{
		Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonNoServer,
		Reply: spool.Reply{At: r.now(), Text: NoServerText(sender)},
	}}}
}

// NoServerText says what to do about a sender that no server accepts mail from.
func NoServerText(sender string) string {
	return fmt.Sprintf("no server accepts mail from %s: each [[server]] has senders, and none lists this address; add it to one of them, or add a server without senders", sender)
}

// AnyTakes reports whether one of the servers takes mail from a sender.
func AnyTakes(servers []Server, sender string) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return len(s.Senders) == 0 || s.ListsSender(sender) })
}

// Replacement looks for servers that can stand in for servers[i], which is down. name is the first
// that takes mail of the same senders, empty if none does. left are the Senders of servers[i] whose
// mail no server takes now.
func Replacement(servers []Server, i int, down func(i int) bool) (name string, left []string) {
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
		if !find(func(s *Server) bool { return s.ListsSender(entry) }) {
			left = append(left, entry)
		}
	}
	return name, left
}

// TestSender is the sender of test mail through a server: the site's address if the server
// takes mail from it, else the first that the server lists.
func (s *Server) TestSender(site string) string {
	if len(s.Senders) == 0 || s.ListsSender(site) {
		return site
	}
	if first := s.Senders[0]; !strings.HasPrefix(first, "@") {
		return first
	}
	local, _, _ := strings.Cut(site, "@")
	return local + s.Senders[0]
}
