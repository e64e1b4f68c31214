package setup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/probe"
)

// What can be done about a server that does not work.
const (
	change = "change the answers"
	repeat = "try it once more as it is"
	keep   = "keep it as it is"
	relax  = "use it without verified TLS: others on the way could read the mail"
	trust  = "name a file with the certificate of its authority (ca_file)"
)

// tryServer sends a test message through the server, as test-server does. again: the
// answers are to be asked for once more.
func (s *dialogue) tryServer(n int, v *answers) (again bool) {
	if s.Err != nil || v.auth != "" || v.user != "" && v.password == "" && !v.old.IsSet() {
		return false // it cannot be tested yet
	}
	if !s.Yes(fmt.Sprintf("Test %s now? A test message goes to %s.", v.called(n), s.address), true) {
		return false
	}
	for s.Err == nil {
		err := s.probe(n, v)
		var failed *probe.Error
		v.failed = ""
		if !errors.As(err, &failed) {
			s.Err = err
			return false
		}
		v.failed = failed.Outcome.Reply.String()
		if s.ctx.Err() != nil {
			s.Err = term.ErrStopped
		}
		options := []string{change, repeat, keep}
		if !v.service && failed.Outcome.Reason == spool.ReasonTLS && !v.nonSecure {
			options = append(options, relax)
		}
		if errors.As(failed.Err, new(*tls.CertificateVerificationError)) {
			options = append(options, trust)
		}
		switch options[s.Choose("It did not work. What now?", options, 0)] {
		case change:
			return true
		case keep:
			return false
		case relax:
			v.nonSecure = true
		case trust:
			s.askCAFile(v)
		}
	}
	return false
}

// probe runs the steps of test-server on a server that is in no file yet.
func (s *dialogue) probe(n int, v *answers) error {
	d := &draft{path: s.path, old: s.oldText}
	s.putSite(d)
	for i, v := range s.servers[:n-1] {
		if v.auth != "" || v.service { // it is not of interest here
			v = &answers{host: "unused.invalid"}
		}
		v.put(d, i+1, false, false)
	}
	v.put(d, n, false, false)
	cfg, err := d.config()
	if cfg == nil {
		return err
	}
	c := new(config.Server)
	if v.service {
		*c = cfg.Service.Server()
	} else {
		c = &cfg.Servers[n-1]
	}
	server, err := s.server(c, s.p.FindHostname(cfg, true))
	if err != nil {
		return err
	}
	switch {
	case v.keptSecret():
		server.Password = func(ctx context.Context) (string, error) { // it may have been corrected since the last test
			password, err := v.old.Refresh(ctx, v.tried)
			v.tried = password
			return password, err
		}
	case v.user != "":
		server.Password = func(context.Context) (string, error) { return v.password, nil }
	}
	s.Newline()
	err = probe.Run(s.ctx, server.Server, probe.Options{
		To: s.address, From: s.address, Site: s.name, State: &s.results, Now: s.p.Now,
		Print: func(line string) { sayProbe(s.Prompter, line) },
	})
	s.Newline()
	return err
}

// sayProbe prints a line of a test, with the result of a step in its column.
func sayProbe(s *term.Prompter, line string) {
	if word, result, ok := probe.Step(line); ok {
		s.SayBelow(word, result)
	} else {
		s.SayWrapped(line)
	}
}
