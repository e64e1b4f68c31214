package probe

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"notices/spool/smtpclient"
)

// The ports of SMTP: submission with TLS from the start (RFC 8314), submission
// (RFC 6409), and server to server (RFC 5321). The better is first.
var smtpPorts = []int{465, 587, 25}

// portTime is how long to wait for a port: a closed one answers at once, a filtered one
// never.
const portTime = 5 * time.Second

// portProbe is smtpclient.ProbePort; tests have their servers at other ports.
type portProbe func(ctx context.Context, host string, port int, timeout time.Duration, dial smtpclient.Dialer) (string, bool)

// ports tries all of them at once and says which answer and what to set; "" if no other does.
func (t *test) ports(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*portTime)
	defer cancel()
	open := make([]bool, len(smtpPorts))
	var wg sync.WaitGroup
	for i, port := range smtpPorts {
		wg.Go(func() { _, open[i] = t.probePort(ctx, t.server.Host, port, portTime, t.server.Dial) })
	}
	wg.Wait()
	var yes, no []string
	better := 0
	for i, port := range smtpPorts {
		switch {
		case open[i]:
			yes = append(yes, fmt.Sprint(port))
			if better == 0 && port != t.server.Port {
				better = port
			}
		case !t.connected || port != t.server.Port: // else it answered a moment ago
			no = append(no, fmt.Sprint(port))
		}
	}
	switch {
	case better == 0 && (t.connected || len(yes) > 0):
		return ""
	case better == 0:
		return fmt.Sprintf("None of %s answers at %s: is the name right, and does a firewall let this machine out?", list(no), t.server.Host)
	}
	tls := "" // that of the old port must not stay
	if t.server.TLS != "" && t.server.TLS != smtpclient.TLSAuto {
		tls = ` and tls = "auto"`
	}
	return fmt.Sprintf("Answering at %s: %s; not answering: %s. Set port = %d%s in %s.", t.server.Host, list(yes), list(no), better, tls, section(&t.server))
}

func list(words []string) string { return cmp.Or(strings.Join(words, ", "), "none") }
