package setup

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"notices/config"
)

// A second run of the dialogue starts from the configuration that is there: its values are
// what Enter takes, and what the dialogue does not ask for stays, comments too.

// existing reads the configuration that is there. why says in a sentence why it cannot be
// the start of the dialogue, if it cannot.
func (s *dialogue) existing() (why string, err error) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return "", cannotMake(s.path, err)
	}
	cfg, err := config.Parse(s.path, text)
	if cfg == nil {
		return fmt.Sprintf("That file is there already and cannot be read: %s.", err), nil
	}
	probe := []config.Setting{{Section: "site", Key: "name", Value: "x"}, {Section: "server", N: len(cfg.Servers) + 1, Key: "host", Value: "x"}}
	if _, err := config.Edit(text, probe, nil); err != nil {
		return "That file is there already and " + config.ErrForm.Error() + ".", nil
	}
	if cfg.Delivery.Via != config.ViaServers && len(cfg.Servers) > 0 {
		return "That file is there already; it has servers beside via = \"" + cfg.Delivery.Via + "\".", nil
	}
	s.old, s.oldText = cfg, text
	return "", nil
}

// askExisting: what is there is changed, or made anew with the old one beside it, or stays.
func (s *dialogue) askExisting() error {
	why, err := s.existing()
	if err != nil {
		return err
	}
	var yes bool
	if why == "" {
		yes, err = s.Yes("That file is there already. Change it? Enter then takes what stands there, and a copy\nof it as it is now is kept beside it.", true)
	} else {
		yes, err = s.Yes(why+"\nMake a new one? The old one is kept beside it.", false)
	}
	if err != nil {
		return err
	}
	if !yes {
		return alreadyThere(s.path)
	}
	s.replace = true
	return nil
}

// askOldServers goes through the servers that there are; it returns how many.
func (s *dialogue) askOldServers() (int, error) {
	var list []*serverAnswers
	if s.old != nil && s.old.Delivery.Via != config.ViaServers {
		v := oldAccount(s.old, s.old.Delivery.Via)
		v.via = true
		list = append(list, v)
	}
	for i := 0; s.old != nil && i < len(s.old.Servers); i++ {
		list = append(list, oldServer(s.old, i))
	}
	for i, v := range list {
		n, err := s.Choose(fmt.Sprintf("Server %d is %s.", i+1, v.describe()), []string{"keep it as it is", "change it"}, 0)
		if err != nil {
			return 0, err
		}
		if n == 1 {
			err = s.askServer(i+1, v)
		} else {
			v.keep = true
			s.servers = append(s.servers, v)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// oldServer is what a person would have answered for the ith server, from 0.
func oldServer(cfg *config.Config, i int) *serverAnswers {
	c := &cfg.Servers[i]
	if c.Auth != config.AuthPassword {
		return oldAccount(cfg, c.Auth)
	}
	v := &serverAnswers{login: c.Login, lax: c.AllowNonSecure}
	if c.Password.HasKey() {
		v.old = c.Password
	}
	v.which = max(0, slices.IndexFunc(ways(), func(w way) bool { return w.auth == "" && w.preset == c.Preset }))
	v.way = ways()[v.which]
	given := func(key string) bool { // by the preset
		return v.preset != "" && slices.ContainsFunc(c.FromPreset, func(line string) bool { return strings.HasPrefix(line, key+" ") })
	}
	if !given("host") {
		v.host = c.Host
	}
	if !given("port") {
		v.port = c.Port
	}
	if usual := c.Port == 465; usual != (c.TLS == config.Implicit) {
		v.tls = c.TLS
	}
	return v
}

func oldAccount(cfg *config.Config, name string) *serverAnswers {
	v := &serverAnswers{client: cfg.Account(name).ClientID}
	v.which = slices.IndexFunc(ways(), func(w way) bool { return w.auth == name })
	v.way = ways()[v.which]
	return v
}

// describe tells a server from others.
func (v *serverAnswers) describe() string {
	what := v.title
	if v.host != "" {
		what = v.host
	}
	if v.port > 0 && v.host != "" {
		what += fmt.Sprintf(", port %d", v.port)
	}
	if v.login != "" {
		what += ", login " + v.login
	}
	return what
}

// keptSecret reports whether the password stays that the configuration has.
func (v *serverAnswers) keptSecret() bool { return v.login != "" && v.password == "" && v.old.IsSet() }
