package serving

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"notices/cmd/internal/app"
	"notices/config"
)

// Kind is what is spoken on a listener. The word is the one behind listen_ in [serve], and the
// FileDescriptorName= that systemd.socket(5) may give a socket.
type Kind string

// Kinds of listeners.
const (
	TLS      Kind = "tls"      // SMTP in TLS from the start
	StartTLS Kind = "starttls" // SMTP with STARTTLS
	HTTPS    Kind = "https"    // the broker and /healthz
	Metrics  Kind = "metrics"  // Prometheus, plain HTTP
)

// Listeners are open, by what is spoken on them.
type Listeners map[Kind][]net.Listener

// addresses are what the config names, in the order in which it is opened.
func addresses(c *config.Serve) []struct {
	kind Kind
	list []string
} {
	return []struct {
		kind Kind
		list []string
	}{{TLS, c.ListenTLS}, {StartTLS, c.ListenSTARTTLS}, {HTTPS, c.ListenHTTPS}, {Metrics, c.ListenMetrics}}
}

// Listen takes over the sockets that systemd opened (sd_listen_fds(3)), and opens those
// of the config that are not among them. So the sockets outlive the process, and no client is
// refused while another one takes its place.
func Listen(cfg *config.Config) (Listeners, error) {
	inherited, err := activation.ListenersWithNames()
	if err != nil {
		return nil, app.Fail(app.ExitUnavailable, "the sockets that systemd passed on cannot be used: %w", err)
	}
	return listen(cfg, inherited)
}

func listen(cfg *config.Config, inherited map[string][]net.Listener) (Listeners, error) {
	l := Listeners{}
	taken, err := l.inherit(&cfg.Serve, inherited)
	for _, a := range addresses(&cfg.Serve) {
		for _, address := range a.list {
			if err == nil && !taken[address] {
				err = l.open(cfg, a.kind, address)
			}
		}
	}
	if err == nil && len(l[TLS])+len(l[StartTLS])+len(l[HTTPS]) == 0 {
		err = app.Fail(app.ExitConfig, "%s: there is nothing to listen on: set listen_tls or listen_starttls in [serve]", cfg.Path)
	}
	if err != nil {
		l.Close()
	}
	return l, err
}

// inherit sorts the sockets of systemd by their names, or by the port that the config gives to
// one kind. The result has the addresses of the config that need not be opened any more.
func (l Listeners) inherit(c *config.Serve, inherited map[string][]net.Listener) (taken map[string]bool, err error) {
	taken = map[string]bool{}
	for name, list := range inherited {
		for _, socket := range list {
			kind := named(name)
			for _, a := range addresses(c) {
				for _, address := range a.list {
					if port(address) == port(socket.Addr().String()) {
						taken[address] = true
						kind = cmp.Or(kind, a.kind)
					}
				}
			}
			if kind == "" {
				err = app.Fail(app.ExitConfig, "systemd passed on a socket for %s, and it is not known what to speak there: "+
					"name the same port in listen_tls, listen_starttls, listen_https or listen_metrics of [serve], or set FileDescriptorName= of the socket to tls, starttls, https or metrics", socket.Addr())
			}
			l[kind] = append(l[kind], socket)
		}
	}
	return taken, err
}

// named is the kind that a socket's name says, or empty.
func named(name string) Kind {
	switch k := Kind(name); k {
	case TLS, StartTLS, HTTPS, Metrics:
		return k
	}
	return ""
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// open opens a socket. An error says what to do.
func (l Listeners) open(cfg *config.Config, kind Kind, address string) error {
	socket, err := net.Listen("tcp", address)
	if err == nil {
		l[kind] = append(l[kind], socket)
		return nil
	}
	where := fmt.Sprintf("%s: [serve] listen_%s: %s", cfg.Path, kind, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return app.Fail(app.ExitUnavailable, "%s is in use by another program; to see which, run: ss -ltnp 'sport = :%s'; then stop that one, or set another port", where, port(address))
	case errors.Is(err, fs.ErrPermission):
		return app.Fail(app.ExitPermission, "%s: this user may not listen on a port under 1024; start serve as root (it then becomes the user that owns the spool), or by systemd: systemctl enable --now notices-serve", where)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return app.Fail(app.ExitUnavailable, "%s: this machine does not have that address (now); to listen on all that it has, write 0.0.0.0:%s", where, port(address))
	}
	return app.Fail(app.ExitUnavailable, "%s: %w", where, err)
}

// Close closes them all. A socket of systemd stays open there.
func (l Listeners) Close() {
	for _, list := range l {
		for _, socket := range list {
			socket.Close()
		}
	}
}

// String lists the addresses, for the log.
func (l Listeners) String() string {
	var texts []string
	for _, kind := range []Kind{TLS, StartTLS, HTTPS, Metrics} {
		for _, socket := range l[kind] {
			texts = append(texts, fmt.Sprintf("%s (%s)", socket.Addr(), kind))
		}
	}
	return strings.Join(texts, ", ")
}
