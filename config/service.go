package config

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Service is the site's side of the Integrated Email Service: a server that another
// installation of notices runs. Host to DataTimeout are as those of a Server.
type Service struct {
	Host                  string
	Port                  int
	TLS                   string // Implicit or StartTLS
	CAFile                string
	Connections           int
	MessagesPerConnection int
	Timeout               time.Duration
	DataTimeout           time.Duration
	Site                  string // the name of this site at the service
	// Key is set whenever the service is used, by via or by a broker: by default it is systemd's
	// credential service.key.
	Key Secret
}

// Serve is the hosted side of the service: this installation is the service.
type Serve struct {
	ListenTLS         []string // "host:port" of listeners, each once in all four lists
	ListenSTARTTLS    []string
	ListenHTTPS       []string
	ListenMetrics     []string // plain HTTP
	CertFile          string   // a certificate chain in PEM; of TLS listeners
	KeyFile           string   // its private key; if the config names no file, systemd's credential serve.key, if it is provided
	Address           string   // the sender of all mail; LOCAL+ID@DOMAIN is a valid address too
	MessagesPerMinute int      // of one site; 0: no limit
	MessagesPerDay    int      // of one site; 0: no limit
	MaxRecipients     int      // of a message
	MaxConnections    int      // at once
	Deliver           bool     // mail is sent at once, not by the next flush
}

// DKIM is what outgoing mail is signed with (RFC 6376).
type DKIM struct {
	Domain   string // mail whose From is of this domain is signed; lower case, ASCII; empty: no mail is signed
	Selector string
	// KeyFile is the private key. It is set if Domain is: by default it is systemd's credential
	// dkim.key if that is provided, else dkim.key in the folder of the config.
	KeyFile string
}

// maxRecipients is how many recipients a message may have, however it comes in: the spool cannot read
// one with more.
const maxRecipients = 50_000

// defaultService has port 465: a service has implicit TLS.
func defaultService() Service {
	s := defaultServer(1)
	return Service{Port: 465, TLS: tlsAuto, Connections: s.Connections, MessagesPerConnection: s.MessagesPerConnection, Timeout: s.Timeout, DataTimeout: s.DataTimeout}
}

func defaultServe() Serve {
	return Serve{
		ListenTLS: []string{"0.0.0.0:465"}, ListenSTARTTLS: []string{"0.0.0.0:587"},
		MessagesPerMinute: 60, MessagesPerDay: 10_000, MaxRecipients: 1000, MaxConnections: 500, Deliver: true,
	}
}

// Server is the service as a mail server; its Name is "service". Its login goes over verified
// TLS only.
func (s *Service) Server() Server {
	v := defaultServer(0)
	v.Name, v.Host, v.Port, v.TLS, v.CAFile, v.Login, v.Password = ViaService, s.Host, s.Port, s.TLS, s.CAFile, s.Site, s.Key
	v.Connections, v.MessagesPerConnection, v.Timeout, v.DataTimeout = s.Connections, s.MessagesPerConnection, s.Timeout, s.DataTimeout
	v.RecipientsPerMessage = defaultServe().MaxRecipients
	return v
}

var serviceKeys = [...]key[Service]{
	{name: "host", read: func(v value, s *Service) { v.host(&s.Host) }},
	{name: "port", read: func(v value, s *Service) { v.number(&s.Port, 1, 65535) }},
	{name: "tls", read: func(v value, s *Service) { v.choice(&s.TLS, tlsAuto, Implicit, StartTLS) }},
	{name: "ca_file", read: func(v value, s *Service) { v.caFile(&s.CAFile) }},
	{name: "connections", read: func(v value, s *Service) { v.number(&s.Connections, 1, 1000) }},
	{name: "messages_per_connection", read: func(v value, s *Service) { v.number(&s.MessagesPerConnection, 1, maxCount) }},
	{name: "timeout", read: func(v value, s *Service) { v.timeout(&s.Timeout) }},
	{name: "data_timeout", read: func(v value, s *Service) { v.timeout(&s.DataTimeout) }},
	{name: "site", read: func(v value, s *Service) {
		take(v, &s.Site, `the name that the service gave to this site, of letters, digits, ".", "_" and "-"`, optional(validSite))
	}},
	{name: "key_file", read: func(v value, s *Service) { v.secret(&s.Key, file) }},
}

var serveKeys = [...]key[Serve]{
	{name: "listen_tls", read: func(v value, s *Serve) { listen(v, &s.ListenTLS) }},
	{name: "listen_starttls", read: func(v value, s *Serve) { listen(v, &s.ListenSTARTTLS) }},
	{name: "listen_https", read: func(v value, s *Serve) { listen(v, &s.ListenHTTPS) }},
	{name: "listen_metrics", read: func(v value, s *Serve) { listen(v, &s.ListenMetrics) }},
	{name: "cert_file", read: func(v value, s *Serve) { v.caFile(&s.CertFile) }},
	{name: "key_file", read: func(v value, s *Serve) { privateFile(v, &s.KeyFile) }},
	{name: "address", read: func(v value, s *Serve) {
		take(v, &s.Address, `one e-mail address, like "noreply@service.example", without a "+" and with at most 40 letters before the @`, optional(validServeAddress))
	}},
	{name: "messages_per_minute", read: func(v value, s *Serve) { v.number(&s.MessagesPerMinute, 0, maxCount) }},
	{name: "messages_per_day", read: func(v value, s *Serve) { v.number(&s.MessagesPerDay, 0, maxCount) }},
	{name: "max_recipients", read: func(v value, s *Serve) { v.number(&s.MaxRecipients, 1, maxRecipients) }},
	{name: "max_connections", read: func(v value, s *Serve) { v.number(&s.MaxConnections, 1, maxCount) }},
	{name: "deliver", read: func(v value, s *Serve) { v.boolean(&s.Deliver) }},
}

var dkimKeys = [...]key[DKIM]{
	{name: "domain", read: func(v value, d *DKIM) {
		take(v, &d.Domain, `a domain as it stands behind the @, like "example.org"`, optional(validHost))
		d.Domain = strings.ToLower(strings.TrimSuffix(d.Domain, "."))
	}},
	{name: "selector", read: func(v value, d *DKIM) {
		take(v, &d.Selector, `a name for the key in DNS, like "notices" or "2026", of letters, digits and "-"`, matching(validSelector))
	}},
	{name: "key_file", read: func(v value, d *DKIM) { v.path(&d.KeyFile) }},
}

func readService(l *loader, t table, at place) {
	s := &l.cfg.Service
	fill(l, t, at, serviceKeys[:], s)
	if s.TLS = decideTLS(s.TLS, s.Port); l.cfg.Delivery.Via == ViaService {
		wantService(l, place{Section: "delivery", Key: "via"}, `via = "service"`, "host", s.Host)
	}
	for _, name := range []string{AuthGoogle, AuthMicrosoft} {
		if l.cfg.Account(name).Broker != "" {
			wantService(l, place{Section: name, Key: "broker"}, "broker in ["+name+"]")
		}
	}
}

// wantService notes what is missing to use the service: keys of pair, which has keys and their values in
// turn, and the site's name. Without key_file, systemd has to provide the site's key.
func wantService(l *loader, by place, what string, pair ...string) {
	s := &l.cfg.Service
	for pair = append(pair, "site", s.Site); len(pair) > 0; pair = pair[2:] {
		at := place{Section: "service", Key: pair[0]}
		if wrong := func(e *Error) bool { return e.place == at }; pair[1] == "" && !l.has(wrong) {
			l.add(&Error{Key: at.String(), Msg: "is not set: " + what + " needs it", place: at, orAt: by})
		}
	}
	if at := (place{Section: "service", Key: "key_file"}); !s.Key.IsSet() {
		s.Key.src = l.newSource(credential, at, "service.key")
	}
}

func readServe(l *loader, t table, at place) {
	s := &l.cfg.Serve
	fill(l, t, at, serveKeys[:], s)
	if s.KeyFile == "" && s.CertFile != "" {
		s.KeyFile = credentialFile("serve.key")
	}
	if l.need != Serving && (t == nil || reflect.DeepEqual(*s, defaultServe())) {
		return // this is no service
	}
	lacks := func(key, value, why string) {
		if at.Key = key; value == "" && !l.has(func(e *Error) bool { return e.place == at }) {
			l.bad(at, "is not set: "+why)
		}
	}
	lacks("address", s.Address, `mail goes out from it: add one of the service, like address = "noreply@service.example"`)
	if len(s.ListenTLS)+len(s.ListenSTARTTLS)+len(s.ListenHTTPS) > 0 {
		lacks("cert_file", s.CertFile, "sites connect with TLS: name a file with the certificate of this host, in PEM")
		lacks("key_file", s.KeyFile, "name the file with the private key of the certificate, in PEM")
	}
	checkListeners(l, at)
}

// checkListeners refuses an address that is listed twice.
func checkListeners(l *loader, at place) {
	s, seen := &l.cfg.Serve, map[string]string{}
	for _, list := range []struct {
		key       string
		addresses []string
	}{{"listen_tls", s.ListenTLS}, {"listen_starttls", s.ListenSTARTTLS}, {"listen_https", s.ListenHTTPS}, {"listen_metrics", s.ListenMetrics}} {
		for _, address := range list.addresses {
			if first, twice := seen[address]; twice {
				at.Key = list.key
				l.bad(at, "names "+address+" a second time: it is in "+first+" already")
			}
			seen[address] = list.key
		}
	}
}

func readDKIM(l *loader, t table, at place) {
	d := &l.cfg.DKIM
	fill(l, t, at, dkimKeys[:], d)
	if d.Domain == "" {
		return
	}
	if d.KeyFile == "" {
		if d.KeyFile = credentialFile("dkim.key"); d.KeyFile != "" {
			return // systemd sees to its mode
		}
		d.KeyFile = l.absolute("dkim.key")
	}
	at.Key = "key_file"
	l.files = append(l.files, namedFile{at, d.KeyFile, true})
}

// credentialFile is the path of a credential of systemd; "" if it is not provided.
func credentialFile(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// listen reads the addresses to listen on.
func listen(v value, to *[]string) {
	takeList(v, to, `a list of addresses with their ports, like ["0.0.0.0:465", "[::]:465"]`, func(s string) bool {
		host, _, _ := net.SplitHostPort(s)
		_, notIP := netip.ParseAddr(host)
		return validPort(s) && (host == "" || notIP == nil || validHost(host))
	})
	if list, ok := v.raw.([]any); ok && len(list) == 0 {
		*to = nil
	}
}

// validPort reports whether an address ends in a port from 1 to 65535.
func validPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// validSite takes what service-key add takes as the name of a site. It is the user name of
// HTTP Basic too, which must have no colon (RFC 7617).
func validSite(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return len(s) <= 64 && strings.Trim(s, letters+"._-") == "" && strings.Contains(letters, s[:1])
}

// validServeAddress leaves room for the id of a message in the local part, which has at most
// 64 octets (RFC 5321 4.5.3.1.1).
func validServeAddress(s string) bool {
	local, _, _ := strings.Cut(s, "@")
	return validAddress(s) && len(local) <= 40 && !strings.Contains(local, "+")
}

// validSelector takes what RFC 6376 3.1 takes: labels of DNS.
func validSelector(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if len(label) > 63 || !validHost(label+".x") || strings.ContainsAny(label, "_") {
			return false
		}
	}
	return len(s) <= 200
}
