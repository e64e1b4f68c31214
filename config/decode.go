package config

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// notYet is said of what stands in the tables of keys.go but is not built.
const notYet = "is not in this version of notices yet"

// table is one TOML table.
type table = map[string]any

// loader reads a document into a Config and collects what is wrong.
type loader struct {
	cfg   *Config
	mode  fs.FileMode // of the file: who else may read it
	base  string      // cache of folder()
	files []namedFile // in the order of the keys
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
	known := 0
	for _, s := range all {
		v, ok := doc[s.name]
		if ok {
			known++
		}
		switch {
		case s.names == nil && ok:
			l.add(&Error{Key: s.header(), Msg: notYet, place: place{section: s.name}})
		case s.names != nil:
			l.section(s, v, ok)
		}
	}
	if known < len(doc) {
		l.strangers(doc, all)
	}
	l.fillServers()
	l.accounts()
	if len(l.cfg.Servers) == 0 && l.cfg.Delivery.Via == ViaServers && !l.hasProblem("server") && !l.hasProblem("delivery") {
		l.bad(place{section: "delivery"}, "has no server to send through: add a [[server]] with its host")
	}
}

func (l *loader) hasProblem(section string) bool {
	return slices.ContainsFunc(l.cfg.Problems, func(e *Error) bool { return e.place.section == section })
}

// section hands each of the section's tables to its reader.
func (l *loader) section(s section, v any, present bool) {
	at := place{section: s.name}
	if !s.many {
		t, ok := v.(table)
		if present && !ok {
			l.bad(at, "is written as one section: "+s.header())
		}
		s.read(l, t, at)
		return
	}
	tables, ok := tablesOf(v)
	if present && !ok {
		l.bad(at, "is written with two brackets: "+s.header())
	}
	for i, t := range tables {
		s.read(l, t, place{section: s.name, n: i + 1})
	}
}

// tablesOf takes [[x]] and x = [{...}, {...}].
func tablesOf(v any) ([]table, bool) {
	if tables, ok := v.([]table); ok {
		return tables, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	tables := make([]table, len(list))
	for i, e := range list {
		if tables[i], ok = e.(table); !ok {
			return nil, false
		}
	}
	return tables, true
}

// fill reads the keys of one table through its section's row.
func fill[T any](l *loader, t table, at place, keys []key[T], to *T) {
	known := 0
	for i := range keys {
		k := &keys[i]
		raw, ok := t[k.name]
		if !ok {
			continue
		}
		known++
		at.key = k.name
		switch {
		case !k.later:
			k.read(value{l: l, at: at, raw: raw}, to)
		case raw != "":
			l.bad(at, notYet)
		}
	}
	if known < len(t) {
		unknownKeys(l, t, at, keys)
	}
}

func unknownKeys[T any](l *loader, t table, at place, keys []key[T]) {
	names := namesOf(keys)()
	for name := range t {
		if slices.ContainsFunc(keys, func(k key[T]) bool { return k.name == name }) {
			continue
		}
		at.key = name
		l.bad(at, "is unknown"+hint(name, names))
	}
}

// strangers reports what stands at the top of the document and is no section. What
// was probably meant as a section that intake needs counts as that section's
// problem: with [spol] for [spool], mail would go into a spool that nobody empties.
func (l *loader) strangers(doc table, all []section) {
	for name, v := range doc {
		if slices.ContainsFunc(all, func(s section) bool { return s.name == name }) {
			continue
		}
		switch v.(type) {
		case table, []table:
			l.strangeSection(name, all)
		default:
			l.strayKey(name)
		}
	}
}

func (l *loader) strangeSection(name string, all []section) {
	var known, there []string
	for _, s := range all {
		known = append(known, s.name)
		if s.names != nil {
			there = append(there, s.header())
		}
	}
	e := &Error{Key: "[" + shownName(name) + "]", place: place{section: name}}
	e.meant = nearest(name, known)
	e.Msg = "is no section; there are " + strings.Join(there, ", ")
	if e.meant != "" {
		i := slices.IndexFunc(all, func(s section) bool { return s.name == e.meant })
		e.Msg = "is no section: did you mean " + all[i].header() + "?"
	}
	l.add(e)
}

// strayKey reports a key that stands before the first section.
func (l *loader) strayKey(name string) {
	e := &Error{Key: shownName(name), Msg: "stands before the first section, and is unknown", place: place{section: name}}
	if home := homes(name); home != "" {
		e.Msg = "stands before the first section: it belongs below " + home
		e.meant = strings.Trim(home, "[]")
	}
	l.add(e)
}

func (l *loader) site(t table, at place) {
	fill(l, t, at, siteKeys[:], &l.cfg.Site)
	if l.cfg.Site.RewriteFrom && l.cfg.Site.Address == "" && t["address"] == nil {
		l.bad(place{section: "site", key: "rewrite_from"}, "needs address: it becomes the sender of every message")
	}
}

func (l *loader) delivery(t table, at place) { fill(l, t, at, deliveryKeys[:], &l.cfg.Delivery) }
func (l *loader) retry(t table, at place)    { fill(l, t, at, retryKeys[:], &l.cfg.Retry) }
func (l *loader) log(t table, at place)      { fill(l, t, at, logKeys[:], &l.cfg.Log) }

func (l *loader) spool(t table, at place) {
	fill(l, t, at, spoolKeys[:], &l.cfg.Spool)
	if l.cfg.Spool.Dir != "" {
		return
	}
	dir, err := defaultSpool(l.cfg.Path, os.Getenv)
	if err != nil {
		l.bad(place{section: at.section, key: "dir"}, err.Error())
	}
	l.cfg.Spool.Dir = dir
}

func (l *loader) limit(t table, at place) {
	var m Limit
	fill(l, t, at, limitKeys[:], &m)
	for _, k := range limitKeys {
		if _, ok := t[k.name]; !ok {
			l.bad(at, "has no "+k.name+`: a whole one is domains = ["gmail.com", "googlemail.com"], messages = 100, per = "1h"`)
			break
		}
	}
	l.inTwoLimits(m.Domains, at)
	l.cfg.Limits = append(l.cfg.Limits, m)
}

// inTwoLimits: which of them would count?
func (l *loader) inTwoLimits(domains []string, at place) {
	at.key = "domains"
	for i := range l.cfg.Limits {
		for _, d := range domains {
			if slices.Contains(l.cfg.Limits[i].Domains, d) {
				l.bad(at, "names "+d+" a second time: it is in "+place{section: "limit", n: i + 1}.String()+" already")
			}
		}
	}
}

func (l *loader) server(t table, at place) {
	s := defaultServer(at.n)
	s.Port = 0
	l.preset(&s, t)
	fill(l, t, at, serverKeys[:], &s)
	if _, ok := t["host"]; !ok && s.Host == "" && s.Auth == AuthPassword {
		l.bad(at, s.noHost())
	}
	if s.Port > 0 || s.Auth == AuthPassword { // else that of its account, which is not read yet
		s.Port = cmp.Or(s.Port, defaultServer(at.n).Port)
		s.decideTLS()
	}
	l.credentialFor(&s, at)
	if s.Password.IsToken() && s.Login == "" && s.Auth == AuthPassword {
		l.bad(s.Password.src.at, "needs login: the token is for an account at the server")
	}
	l.cfg.Servers = append(l.cfg.Servers, s)
}
