package config

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strings"

	"notices/config/document"
	"notices/config/spelling"
)

// table is one TOML table.
type table = map[string]any

// loader reads a document into a Config and collects what is wrong.
type loader struct {
	cfg    *Config
	need   Need        // of the command
	mode   fs.FileMode // of the file: who else may read it
	folder string      // of the file, absolute; "" until it is needed
	files  []namedFile // in the order of the keys
}

// bad notes a problem.
func (l *loader) bad(at place, msg string) {
	l.add(&Error{Key: at.String(), Msg: msg, place: at})
}

func (l *loader) add(e *Error) {
	e.File = l.cfg.Path
	l.cfg.Problems = append(l.cfg.Problems, e)
}

// read reads the whole document. A section that is not there is read as an empty
// one, so that its checks and its computed defaults apply.
func (l *loader) read(doc table) {
	all := sections()
	for i := range all {
		v, ok := doc[all[i].name]
		l.section(&all[i], v, ok)
	}
	for name, v := range doc {
		if !slices.ContainsFunc(all, func(s section) bool { return s.name == name }) {
			l.unknownTop(name, v, all)
		}
	}
	l.accounts()
	if len(l.cfg.Servers) == 0 && l.cfg.Delivery.Via == ViaServers && !l.hasProblem("server") && !l.hasProblem("delivery") {
		l.bad(place{Section: "delivery"}, "has no server to send through: add a [[server]] with its host")
	}
}

func (l *loader) hasProblem(section string) bool {
	return l.has(func(e *Error) bool { return e.place.Section == section })
}

func (l *loader) has(is func(*Error) bool) bool { return slices.ContainsFunc(l.cfg.Problems, is) }

// section hands each of the section's tables to its reader.
func (l *loader) section(s *section, v any, present bool) {
	at := place{Section: s.name}
	if !s.many {
		t, ok := v.(table)
		if present && !ok {
			l.bad(at, "must be a single section: "+s.header())
		}
		s.read(l, t, at)
		return
	}
	tables, ok := tablesOf(v)
	if present && !ok {
		l.bad(at, "must be written with two brackets: "+s.header())
	}
	for i, t := range tables {
		s.read(l, t, place{Section: s.name, N: i + 1})
	}
}

// tablesOf takes [[x]] and x = [{...}, {...}].
func tablesOf(v any) ([]table, bool) {
	if tables, ok := v.([]table); ok {
		return tables, true
	}
	list, ok := v.([]any)
	tables := make([]table, len(list))
	for i, e := range list {
		if tables[i], ok = e.(table); !ok {
			return nil, false
		}
	}
	return tables, ok
}

// fill reads the keys of one table through its section's rows.
func fill[T any](l *loader, t table, at place, keys []key[T], to *T) {
	known := 0
	for _, k := range keys {
		raw, ok := t[k.name]
		if !ok {
			continue
		}
		known++
		at.Key = k.name
		k.read(value{l: l, at: at, raw: raw}, to)
	}
	if known == len(t) {
		return
	}
	for name := range t {
		at.Key = name
		switch {
		case slices.ContainsFunc(keys, func(k key[T]) bool { return k.name == name }):
		default:
			l.bad(at, "is unknown"+hint(name, namesOf(keys)()))
		}
	}
}

// hint says what an unknown name was probably meant to be, or which names are known.
func hint(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	if home := sectionsWith(name); home != "" {
		return " here; it belongs in " + home
	}
	return "; the keys here are " + strings.Join(known, ", ")
}

// unknownTop reports a name at the top of the document that is not a section. If it was
// probably meant as a section that intake needs, it counts as a problem of that section:
// with [spol] for [spool], mail would go into a spool that nobody empties.
func (l *loader) unknownTop(name string, v any, all []section) {
	e := &Error{Key: document.ShowName(name), place: place{Section: name}}
	defer l.add(e)
	switch v.(type) {
	case table, []table:
	default:
		e.Msg = "is above the first section, and unknown"
		if home := sectionsWith(name); home != "" {
			e.Msg = "is above the first section; it belongs in " + home
			e.meant = strings.Trim(home, "[]")
		}
		return
	}
	var names, headers []string
	for _, s := range all {
		names, headers = append(names, s.name), append(headers, s.header())
	}
	e.Key = "[" + e.Key + "]"
	e.Msg = "is not a section; the sections are " + strings.Join(headers, ", ")
	if e.meant = spelling.Nearest(name, names); e.meant != "" {
		e.Msg = "is not a section: did you mean " + all[slices.Index(names, e.meant)].header() + "?"
	}
}

func (l *loader) site(t table, at place) {
	fill(l, t, at, siteKeys[:], &l.cfg.Site)
	if l.cfg.Site.RewriteFrom && l.cfg.Site.Address == "" && t["address"] == nil {
		at.Key = "rewrite_from"
		l.bad(at, "needs address, which becomes the sender of every message")
	}
}

func (l *loader) spool(t table, at place) {
	s := &l.cfg.Spool
	fill(l, t, at, spoolKeys[:], s)
	if s.Database.IsSet() {
		s.useDatabase(l, at)
	}
	if l.cfg.Spool.Dir != "" {
		return
	}
	dir, err := defaultSpool(l.cfg.Path, os.Getenv)
	if err != nil {
		at.Key = "dir"
		l.bad(at, err.Error())
	}
	l.cfg.Spool.Dir = dir
}

func (l *loader) limit(t table, at place) {
	var m Limit
	fill(l, t, at, limitKeys[:], &m)
	for _, k := range limitKeys {
		if _, ok := t[k.name]; !ok {
			l.bad(at, "has no "+k.name+`; a complete one has domains = ["gmail.com", "googlemail.com"], messages = 100, per = "1h"`)
			break
		}
	}
	at.Key = "domains"
	for i := range l.cfg.Limits { // only one of them could count
		for _, d := range m.Domains {
			if slices.Contains(l.cfg.Limits[i].Domains, d) {
				l.bad(at, "names "+d+" a second time: it is in "+place{Section: "limit", N: i + 1}.String()+" already")
			}
		}
	}
	l.cfg.Limits = append(l.cfg.Limits, m)
}

func (l *loader) bounces(t table, at place) {
	b := &l.cfg.Bounces
	fill(l, t, at, bouncesKeys[:], b)
	if b.Folder == "" {
		b.Folder = "INBOX"
	}
	bad := func(key, msg string) { at.Key = key; l.bad(at, msg) }
	switch {
	case b.Imap == "" && t["imap"] != nil && t["imap"] != "": // it was bad
	case b.Imap == "" && (b.Login != "" || b.Password.IsSet() || b.MoveTo != ""):
		bad("imap", `is not set: add the mailbox's server, like imap = "imap.example.org:993"`)
	case b.Imap == "":
	case b.Auth != AuthPassword && b.Password.IsSet():
		l.bad(b.Password.src.at, "cannot be combined with auth = \""+b.Auth+"\": remove one of them")
	case b.Auth == AuthPassword && b.Login == "":
		bad("login", "is not set: a mailbox needs a login")
	case b.Auth == AuthPassword && !b.Password.IsSet():
		b.Password.src = l.newSource(credential, place{Section: at.Section, Key: "password"}, "bounces.password")
	}
	if b.MoveTo != "" && strings.EqualFold(b.MoveTo, b.Folder) {
		bad("move_to", "is the folder that is read: name another, or remove it")
	}
}

func (l *loader) server(t table, at place) {
	s := defaultServer(at.N)
	s.Port = 0
	t, s.FromPreset = withPreset(t)
	fill(l, t, at, serverKeys[:], &s)
	if _, ok := t["host"]; !ok && s.Auth == AuthPassword && (s.Preset != "" || t["preset"] == nil || t["preset"] == "") {
		msg := `has no host: add host = "mail.example.org"`
		if s.Preset == "ses" {
			msg = `has no host; Amazon SES has one in each region: add host = "email-smtp.eu-west-1.amazonaws.com", with your region in it`
		}
		l.bad(at, msg)
	}
	if s.Port > 0 || s.Auth == AuthPassword { // else the account decides, which is not read yet
		s.Port = cmp.Or(s.Port, defaultServer(at.N).Port)
		s.TLS = decideTLS(s.TLS, s.Port)
	}
	if s.Login != "" && s.Auth == AuthPassword && !s.Password.IsSet() {
		at.Key = "password"
		s.Password.src = l.newSource(credential, at, "server"+s.Name+".password")
	}
	if s.Password.IsToken() && s.Login == "" && s.Auth == AuthPassword {
		l.bad(s.Password.src.at, "needs login: the token is for an account at the server")
	}
	l.cfg.Servers = append(l.cfg.Servers, s)
}
