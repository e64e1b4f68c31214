package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/dns/dnsmessage"
)

// testResolver asks the DNS server at an address. If that is empty, it asks a port where nobody
// listens, so that no test asks real DNS servers.
func testResolver(address string) *net.Resolver {
	if address == "" {
		address = "127.0.0.1:1"
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", address)
	}}
}

// dnsServer FILE starts a DNS server, whose address is in $DNS. It has the records of the zone
// file, as it stands at each question; without the file, it fails each time.
func dnsServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dnsserver FILE")
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	ts.Setenv("DNS", conn.LocalAddr().String())
	path := ts.MkAbs(args[0])
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := dnsAnswer(buf[:n], path); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}

// dnsAnswer is the answer to a question; nil if it is not a question.
func dnsAnswer(question []byte, path string) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	text, err := os.ReadFile(path)
	if err != nil {
		m.RCode = dnsmessage.RCodeServerFailure
	}
	asked, zone := strings.ToLower(m.Questions[0].Name.String()), readZone(string(text))
	for _, r := range zone {
		if r.name == asked && r.kind == "CNAME" {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(asked), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(r.strings[0])}})
			asked = r.strings[0]
		}
	}
	for _, r := range zone {
		if r.name == asked && r.kind == "TXT" {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(asked), Body: &dnsmessage.TXTResource{TXT: r.strings}})
		}
	}
	if err == nil && len(m.Answers) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	answer, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return answer
}

func header(name string) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET}
}

// zoneRecord is `NAME IN KIND VALUE`, where a value of several strings stands in ( ) and may go
// over several lines (RFC 1035 section 5.1).
type zoneRecord struct {
	name, kind string
	strings    []string
}

func readZone(text string) (zone []zoneRecord) {
	var words []string
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	for len(words) >= 4 && words[1] == "IN" {
		r := zoneRecord{name: strings.ToLower(words[0]), kind: words[2]}
		words = words[3:]
		if words[0] != "(" {
			r.strings, words = words[:1], words[1:]
		} else {
			for words = words[1:]; len(words) > 0 && words[0] != ")"; words = words[1:] {
				r.strings = append(r.strings, words[0])
			}
			words = words[min(1, len(words)):]
		}
		zone = append(zone, r)
	}
	return zone
}

// TestDNSServer: the test's own server is asked by the resolver that the program has.
func TestDNSServer(t *testing.T) {
	zone := "a.example. IN TXT (\n\t\"one; \"\n\t\"two\" )\nb.example. IN CNAME a.example.\nc.example. IN TXT x\nc.example. IN TXT y\n"
	if got := fmt.Sprintf("%q", readZone(zone)); !strings.HasPrefix(got, `[{"a.example." "TXT" ["one; " "two"]} {"b.example." "CNAME" ["a.example."]}`) {
		t.Error(got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := testResolver("").LookupTXT(ctx, "a.example."); err == nil {
		t.Error("a real DNS server was asked")
	}
}
