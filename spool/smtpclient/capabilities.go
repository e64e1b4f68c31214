package smtpclient

import (
	"bytes"
	"strconv"
	"strings"
)

// capabilities are what the server's EHLO answer offers.
type capabilities struct {
	pipelining, eightBit, utf8, startTLS, size, dsn bool
	noEnvelopeID                                    bool // with dsn: it refuses ENVID all the same

	maxSize int64    // of SIZE (RFC 1870); 0: the server names no limit
	auth    []string // mechanisms, in upper case
}

// parseCapabilities reads the lines behind the first of an EHLO answer (RFC 5321 4.1.1.1).
// Keywords are case-insensitive; unknown ones are skipped.
func parseCapabilities(text []byte) capabilities {
	var c capabilities
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	for line := range bytes.Lines(rest) {
		upper := strings.ToUpper(string(line))
		if mechanisms, ok := strings.CutPrefix(upper, "AUTH="); ok {
			upper = "AUTH " + mechanisms // as old Outlook wanted it; some servers send both
		}
		words := strings.Fields(upper)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "PIPELINING":
			c.pipelining = true
		case "8BITMIME":
			c.eightBit = true
		case "SMTPUTF8":
			c.utf8 = true
		case "DSN":
			c.dsn = true
		case "STARTTLS":
			c.startTLS = true
		case "AUTH":
			c.auth = append(c.auth, words[1:]...)
		case "SIZE":
			c.size = true
			if len(words) > 1 {
				if n, err := strconv.ParseUint(words[1], 10, 63); err == nil {
					c.maxSize = int64(n)
				}
			}
		}
	}
	return c
}
