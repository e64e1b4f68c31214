// Package sites is notices service-key: it registers the sites of a hosted service and shows
// them. A command of cobra reads the options and calls a method of Sites.
package sites

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool/printable"
	"notices/spool/service"
)

// Sites is what the actions work with.
type Sites struct {
	Program  *app.Program
	Config   *config.Config
	Register *service.Register
}

// Options are those of notices service-key.
type Options struct {
	Action  string // one of Actions
	Site    string
	Name    string
	Address string
	Now     bool // end the old key at once
	JSON    bool
}

// Actions are the words of Options.Action.
func Actions() []string { return []string{"add", "list", "rotate", "revoke"} }

// Parse reads the arguments and refuses what makes no sense. given says whether an option was
// given.
func (o *Options) Parse(args []string, given func(option string) bool) error {
	if len(args) == 0 {
		return errors.New("what to do is missing: add, list, rotate or revoke")
	}
	for option, action := range map[string]string{"name": "add", "address": "add", "now": "rotate", "json": "list"} {
		if given(option) && args[0] != action {
			return fmt.Errorf("--%s is for service-key %s", option, action)
		}
	}
	o.Action, args = args[0], args[1:]
	switch o.Action {
	case "list":
		if len(args) > 0 {
			return fmt.Errorf("list takes no site, it shows them all: %q", args[0])
		}
		return nil
	case "add", "rotate", "revoke":
	default:
		return fmt.Errorf("unknown action %q: it is %s", o.Action, strings.Join(Actions(), ", "))
	}
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of one site, not %d", o.Action, len(args))
	}
	if o.Site = args[0]; o.Action == "add" && (o.Name == "" || o.Address == "") {
		return errors.New(`add needs --name "NAME", which patrons see, and --address ADDRESS, where its returns go`)
	}
	return nil
}

// Run does what the options say.
func (s *Sites) Run(ctx context.Context, o Options) error {
	var err error
	switch o.Action {
	case "list":
		return s.list(ctx, o.JSON)
	case "add":
		err = s.add(ctx, o)
	case "rotate":
		err = s.rotate(ctx, o)
	case "revoke":
		err = s.revoke(ctx, o.Site)
	}
	return withCode(err)
}

// withCode gives the register's errors their exit codes.
func withCode(err error) error {
	if errors.Is(err, service.ErrUnknown) {
		err = fmt.Errorf("%w; to see all, run: notices service-key list", err)
	}
	for cause, code := range map[error]int{
		service.ErrInvalid: app.ExitUsage, service.ErrExists: app.ExitCannotMake, service.ErrUnknown: app.ExitUnknown, service.ErrRevoked: app.ExitUnknown,
	} {
		if errors.Is(err, cause) {
			return &app.Failure{Code: code, Err: err}
		}
	}
	return err
}

func (s *Sites) add(ctx context.Context, o Options) error {
	key, err := s.Register.Add(ctx, o.Site, o.Name, o.Address)
	if errors.Is(err, service.ErrExists) {
		return fmt.Errorf("%w; for another key, run: notices service-key rotate %s", err, strings.ToLower(o.Site))
	}
	if err != nil {
		return err
	}
	site, err := s.Register.Lookup(ctx, o.Site)
	if err != nil {
		return err
	}
	s.tellSite(site)
	if from := s.Config.Serve.Address; isServices(o.Address, from) {
		s.Program.Say("--address %s is the service's own address ([serve] address is %s): the site never sees its returns there; to register another one, run: notices service-key revoke %s, then add again", o.Address, from, site.ID)
	}
	return s.Program.PrintBare(fmt.Sprintf("%s (%s) is registered; its returns go to %s. Its key, which is shown only now:\n%s\n",
		site.ID, printable.Text(site.Name), site.Address, key))
}

// isServices reports whether an address is the service's own one, or one of those with the id of a
// message that it sends from.
func isServices(address, from string) bool {
	at := strings.LastIndexByte(from, '@')
	to := strings.LastIndexByte(address, '@')
	if at < 0 || to < 0 || !strings.EqualFold(address[to:], from[at:]) {
		return false
	}
	local, _, _ := strings.Cut(address[:to], "+")
	return strings.EqualFold(local, from[:at])
}

// tellSite says on standard error, before the key, what the site has to set.
func (s *Sites) tellSite(site *service.Site) {
	host, port, tls := s.place()
	term.SayLines(s.Program.Stderr, fmt.Sprintf("The site writes the key into a file that only notices can read, and this into its notices.toml:\n\n"+
		"    [site]\n    name = %q\n    address = %q\n\n    [delivery]\n    via = \"service\"\n\n    [service]\n    host = %q\n    port = %s\n%s    site = %q\n    key_file = \"/etc/notices/service.key\"\n", printable.Text(site.Name), site.Address, host, port, tls, site.ID))
	if from := s.Config.Serve.Address; from == "" {
		s.Program.Say("[serve] address in %s is not set: notices serve needs it", cmp.Or(s.Config.Path, "notices.toml"))
	} else {
		term.SayLines(s.Program.Stderr, "Its mail will come from "+from+": patrons should add that address to their safe list.")
	}
}

// place is where the service listens, as far as this host knows. tls is the line for how TLS begins
// there, empty where that follows from the port.
func (s *Sites) place() (host, port, tls string) {
	host = cmp.Or(s.Config.Site.Hostname, s.Program.FindHostname(s.Config, false)())
	if host == "" || strings.HasPrefix(host, "[") {
		host = "THE NAME OF THIS HOST"
	}
	port = "465"
	c, mode := &s.Config.Serve, config.Implicit
	list := c.ListenTLS
	if len(list) == 0 && len(c.ListenSTARTTLS) > 0 {
		list, mode = c.ListenSTARTTLS, config.StartTLS
	}
	if len(list) > 0 {
		_, port, _ = net.SplitHostPort(list[0]) // the config has checked it
	}
	if (port == "465") != (mode == config.Implicit) {
		tls = fmt.Sprintf("    tls = %q\n", mode)
	}
	return host, port, tls
}

func (s *Sites) rotate(ctx context.Context, o Options) error {
	key, err := s.Register.Rotate(ctx, o.Site, o.Now)
	if err != nil {
		return err
	}
	until := "does not work any more"
	if !o.Now {
		until = "works until " + term.Clock(s.Program.Now().Add(service.OldKeyTime))
	}
	return s.Program.PrintBare(fmt.Sprintf("%s has a new key; the old one %s. The new key, which is shown only now:\n%s\n", strings.ToLower(o.Site), until, key))
}

func (s *Sites) revoke(ctx context.Context, id string) error {
	if err := s.Register.Revoke(ctx, id); err != nil {
		return err
	}
	return s.Program.PrintBare(strings.ToLower(id) + " is revoked: its key does not work any more. What it has queued is still sent.\n")
}

// siteJSON is a site in notices service-key list --json.
type siteJSON struct {
	Site          string     `json:"site"`
	Name          string     `json:"name"`
	Address       string     `json:"address"`
	State         string     `json:"state"` // active or revoked
	CreatedAt     *time.Time `json:"created_at"`
	RevokedAt     *time.Time `json:"revoked_at"`
	LastUsedAt    *time.Time `json:"last_used_at"`
	MessagesToday int        `json:"messages_today"`
	OldKeyUntil   *time.Time `json:"old_key_until"`
}

func (s *Sites) list(ctx context.Context, asJSON bool) error {
	found, err := s.Register.List(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		rows := make([]siteJSON, len(found))
		for i := range found {
			v := &found[i]
			rows[i] = siteJSON{v.ID, v.Name, v.Address, state(v), term.Stamp(v.Created), term.Stamp(v.Revoked), term.Stamp(v.LastUsed), v.Today, term.Stamp(v.OldKeyUntil)}
		}
		return term.PrintJSON(s.Program.Stdout, rows)
	}
	if len(found) == 0 {
		s.Program.Say("no site is registered; notices service-key add registers one")
		return nil
	}
	return s.Program.PrintBare(s.table(found))
}

func state(v *service.Site) string {
	if !v.Revoked.IsZero() {
		return "revoked"
	}
	return "active"
}

// table shows the sites in columns as wide as what is in them.
func (s *Sites) table(found []service.Site) string {
	rows := [][]string{{"SITE", "STATE", "TODAY", "LAST USED", "ADDRESS", "NAME"}}
	for i := range found {
		v := &found[i]
		used := "never"
		if !v.LastUsed.IsZero() {
			used = term.Clock(v.LastUsed)
		}
		name := printable.Text(v.Name)
		if v.OldKeyUntil.After(s.Program.Now()) && v.Revoked.IsZero() {
			name += " (its old key works until " + term.Clock(v.OldKeyUntil) + ")"
		}
		rows = append(rows, []string{v.ID, state(v), printable.Number(v.Today), used, printable.Text(v.Address), name})
	}
	widths := make([]int, len(rows[0])-1) // the name is last, and takes what it needs
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], term.Columns(row[i]))
		}
	}
	width := term.Width(s.Program.Stdout)
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, w := range widths {
			line += term.Pad(row[i], w) + "  "
		}
		if line += row[len(widths)]; width > 0 {
			line = term.Cut(line, width)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
