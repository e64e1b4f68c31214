package route

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"notices/spool"
)

func sendersRoute(senders ...[]string) *Route {
	var list []Server
	for i, s := range senders {
		server := Server{Senders: s}
		server.Name = string(rune('1' + i))
		list = append(list, server)
	}
	return New(Options{Servers: list})
}

func TestServersForASender(t *testing.T) {
	branches := [][]string{{"a@x.example", "@y.example"}, nil, {"@x.example"}, {}, {"@bücher.example"}}
	for _, c := range []struct{ sender, recipient, want string }{
		{"a@x.example", "p@z.example", "13"},
		{"A@X.Example", "p@z.example", "13"},
		{"b@x.example", "p@z.example", "3"},
		{"a@sub.x.example", "p@z.example", "24"},
		{"anybody@z.example", "a@x.example", "24"},
		{"c@y.example", "p@z.example", "1"},
		{"c@xn--bcher-kva.example", "p@z.example", "5"},
		{"c@BÜCHER.example", "p@z.example", "5"},
		// A return goes the way of the mail that it is about.
		{"", "b@x.example", "3"},
		{"", "p@z.example", "24"},
	} {
		got := ""
		for _, s := range sendersRoute(branches...).serversFor(c.sender, []string{c.recipient}) {
			got += s.config.Name
		}
		if got != c.want {
			t.Errorf("mail from %q to %q goes to servers %s, want %s", c.sender, c.recipient, got, c.want)
		}
	}
}

func TestSenderThatNoServerTakes(t *testing.T) {
	r := sendersRoute([]string{"a@x.example"}, []string{"@y.example"})
	m := &spool.Message{ID: "A", Sender: "b@x.example", Recipients: []string{"p@z.example"}, Begin: func() error {
		t.Error("an attempt was counted")
		return nil
	}}
	d, err := r.Deliver(t.Context(), m)
	if err != nil || d.Wait != spool.NoServer || !d.Outcomes[0].NeedsPerson() || !strings.Contains(d.Outcomes[0].Reply.Text, "b@x.example") {
		t.Errorf("delivery %+v, error %v", d, err)
	}
	if r.Group("b@x.example", nil) == r.Group("c@x.example", nil) {
		t.Error("two senders without a server share an outage that names one of them")
	}
	// A return is never without a way.
	if n := len(r.serversFor("", []string{"b@x.example"})); n != 2 {
		t.Errorf("a return has %d servers", n)
	}
}

func TestSenderOfTestMail(t *testing.T) {
	for _, c := range []struct {
		senders []string
		want    string
	}{
		{nil, "library@example.org"},
		{[]string{"@example.org"}, "library@example.org"},
		{[]string{"branch@x.example", "@y.example"}, "branch@x.example"},
		{[]string{"@y.example"}, "library@y.example"},
	} {
		if got := (&Server{Senders: c.senders}).TestSender("library@example.org"); got != c.want {
			t.Errorf("with senders %q: %s, want %s", c.senders, got, c.want)
		}
	}
}

func TestReplacement(t *testing.T) {
	servers := []Server{
		{Senders: []string{"@a.example", "u@b.example"}}, {Senders: []string{"@b.example"}}, {Senders: []string{"@A.example"}}, {}, {},
	}
	for i := range servers {
		servers[i].Name = strconv.Itoa(i + 1)
	}
	for _, c := range []struct {
		down []int // the first is asked about
		name string
		left []string
	}{
		{[]int{1}, "3", nil},
		{[]int{1, 3}, "2", []string{"@a.example"}},
		{[]int{2}, "", []string{"@b.example"}},
		{[]int{4}, "5", nil},
		{[]int{5, 4}, "", nil},
	} {
		name, left := Replacement(servers, c.down[0]-1, func(i int) bool { return slices.Contains(c.down, i+1) })
		if name != c.name || !slices.Equal(left, c.left) {
			t.Errorf("with %v down: %q, %q; want %q, %q", c.down, name, left, c.name, c.left)
		}
	}
}
