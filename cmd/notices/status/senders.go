package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"notices/cmd/notices/announce"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/route"
)

// countUnnamed counts a message that no server takes, for its sender.
func (s *statusJSON) countUnnamed(env *spool.Envelope) bool {
	report := env.Form == spool.Report || env.Form == spool.PlainReport
	if report || env.Sender == "" || len(s.takers) == 0 || route.Takes(s.takers, env.Sender) {
		return false
	}
	if s.unnamed == nil {
		s.unnamed = map[string]int{}
	}
	s.unnamed[env.Sender]++
	return true
}

// branch is mail of some senders that no server is left for.
type branch struct {
	senders, servers []string
	since            time.Time // zero: not known
}

// branchesDown are the senders whose servers are all in trouble, those with the same
// servers together.
func (s *statusJSON) branchesDown() []branch {
	var list []branch
	add := func(sender string, takes func(*route.Server) bool) {
		b, ok := s.branchOf(sender, takes)
		if !ok {
			return
		}
		if i := slices.IndexFunc(list, func(o branch) bool { return slices.Equal(o.servers, b.servers) }); i < 0 {
			list = append(list, b)
		} else if !slices.Contains(list[i].senders, sender) {
			list[i].senders = append(list[i].senders, sender)
		}
	}
	for i := range s.takers {
		for _, sender := range s.takers[i].Senders {
			add(sender, func(t *route.Server) bool { return t.Names(sender) })
		}
	}
	add(announce.OtherSenders, func(t *route.Server) bool { return len(t.Senders) == 0 })
	return list
}

// branchOf gathers the servers for a sender; false: one of them works, or there is none.
func (s *statusJSON) branchOf(sender string, takes func(*route.Server) bool) (b branch, down bool) {
	b.senders = []string{sender}
	for i := range s.takers {
		if !takes(&s.takers[i]) {
			continue
		}
		at := slices.IndexFunc(s.Servers, func(line serverJSON) bool { return line.Name == s.takers[i].Name })
		if at < 0 || !s.troubled[at] || s.stale[at] {
			return b, false
		}
		b.servers = append(b.servers, s.takers[i].Name)
		if began := s.health[at].Began(); began.After(b.since) {
			b.since = began
		}
	}
	return b, len(b.servers) > 0
}

// checkSenders tells of mail that has no way out, though other mail may have one.
func (s *statusJSON) checkSenders(c *checked, now time.Time, o Options) {
	if _, _, all := s.noServer(); !all {
		for _, b := range s.branchesDown() {
			word := "server " + b.servers[0] + " takes none"
			if len(b.servers) > 1 {
				word = "servers " + term.Listed(b.servers) + " take none"
			}
			c.down(b.since, now, o, fmt.Sprintf("no mail from %s goes out: %s", term.Listed(b.senders), word))
		}
	}
	for i, sender := range slices.Sorted(maps.Keys(s.unnamed)) {
		if i == shownUnnamed {
			c.remarks = append(c.remarks, fmt.Sprintf("%d more senders whom no server takes mail from", len(s.unnamed)-i))
			break
		}
		verb := "have"
		if s.unnamed[sender] == 1 {
			verb = "has"
		}
		c.remarks = append(c.remarks, fmt.Sprintf("%s %s no way out: %s", term.Count(s.unnamed[sender], "message"), verb, route.UnnamedText(sender)))
	}
}

// shownUnnamed is how many senders are named.
const shownUnnamed = 3

// partly: some mail is known to have no way out.
func (s *statusJSON) partly() bool { return len(s.unnamed) > 0 || len(s.branchesDown()) > 0 }

// down notes that servers take no mail: critical when that lasts.
func (c *checked) down(since, now time.Time, o Options, text string) {
	text += lasting(since, now)
	if !since.IsZero() && now.Sub(since) > time.Duration(o.Warn) {
		c.note(Critical, "%s", text)
	} else {
		c.remarks = append(c.remarks, text)
	}
}

// senders tells whose mail a server takes.
func (t *statusText) senders(s *serverJSON) {
	if len(s.Senders) > 0 {
		t.row("Senders", "", "%s", strings.Join(s.Senders, ", "))
	}
}
