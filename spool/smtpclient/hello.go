package smtpclient

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"notices/spool"
	"notices/spool/smtpreply"
)

// offers is what the server's EHLO answer promises.
type offers struct {
	pipelining, eightBit, utf8, startTLS, size, dsn bool

	maxSize int64    // of SIZE (RFC 1870); 0: no limit told
	auth    []string // mechanisms, in upper case
}

// parseOffers reads the lines behind the first of an EHLO answer (RFC 5321 4.1.1.1).
// Keywords are case-insensitive; what is not understood is passed over.
func parseOffers(text []byte) offers {
	var o offers
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	for line := range bytes.Lines(rest) {
		upper := strings.ToUpper(string(line))
		if mechanisms, ok := strings.CutPrefix(upper, "AUTH="); ok {
			upper = "AUTH " + mechanisms // as old Outlook wanted it; some servers send both
		}
		words := strings.Fields(upper)
		if len(words) > 0 {
			o.add(words[0], words[1:])
		}
	}
	return o
}

func (o *offers) add(keyword string, parameters []string) {
	switch keyword {
	case "PIPELINING":
		o.pipelining = true
	case "8BITMIME":
		o.eightBit = true
	case "SMTPUTF8":
		o.utf8 = true
	case "DSN":
		o.dsn = true
	case "STARTTLS":
		o.startTLS = true
	case "AUTH":
		o.auth = append(o.auth, parameters...)
	case "SIZE":
		o.size = true
		if len(parameters) > 0 {
			if n, err := strconv.ParseInt(parameters[0], 10, 64); err == nil && n > 0 {
				o.maxSize = n
			}
		}
	}
}

func (c *Conn) greeting() error {
	code, text, err := c.wire.read(c.wire.timeout)
	if err != nil {
		return c.judge.lost(smtpreply.StageGreeting, spool.ReasonGreeting, err)
	}
	if code != 220 {
		return c.judge.refused(smtpreply.StageGreeting, code, text)
	}
	c.judge.said(smtpreply.StageGreeting, code, text)
	return nil
}

// literal is the address that the server sees, unless a router changes it.
func literal(conn net.Conn) string {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return "[127.0.0.1]"
	}
	a := local.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		return "[IPv6:" + a.String() + "]"
	}
	return "[" + a.String() + "]"
}

// hello says EHLO, or HELO to a server that knows no better.
func (c *Conn) hello() error {
	name := c.server.Hello
	if name == "" && c.server.FindHello != nil {
		name = c.server.FindHello()
	}
	name = cmp.Or(name, literal(c.wire.raw))
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return c.judge.trouble(spool.ReasonGreeting, fmt.Sprintf("[site] hostname %q is no host name", name), nil)
	}
	code, text, err := c.wire.command("EHLO " + name)
	if err == nil && (code == 500 || code == 502) {
		code, text, err = c.wire.command("HELO " + name)
	}
	if err != nil {
		return c.judge.lost(smtpreply.StageHello, spool.ReasonGreeting, err)
	}
	if code/100 != 2 {
		return c.judge.refused(smtpreply.StageHello, code, text)
	}
	c.offers = parseOffers(text)
	c.judge.said(smtpreply.StageHello, code, text)
	return nil
}
