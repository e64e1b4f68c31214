package config

import "strings"

// key is one key of a section and how its value is read into the section's
// struct. These tables are the only place that knows which keys there are.
type key[T any] struct {
	name string
	read func(v value, to *T)
}

var siteKeys = [...]key[Site]{
	{name: "name", read: func(v value, s *Site) { v.text(&s.Name) }},
	{name: "address", read: func(v value, s *Site) { v.address(&s.Address) }},
	{name: "hostname", read: func(v value, s *Site) { v.helloName(&s.Hostname) }},
	{name: "admin", read: func(v value, s *Site) { v.address(&s.Admin) }},
	{name: "rewrite_from", read: func(v value, s *Site) { v.boolean(&s.RewriteFrom) }},
}

var deliveryKeys = [...]key[Delivery]{
	{name: "via", read: func(v value, d *Delivery) {
		v.choice(&d.Via, ViaServers, ViaGoogle, ViaMicrosoft, ViaService)
	}},
}

var serverKeys = [...]key[Server]{
	{name: "host", read: func(v value, s *Server) { v.host(&s.Host) }},
	{name: "port", read: func(v value, s *Server) { v.number(&s.Port, 1, 65535) }},
	{name: "tls", read: func(v value, s *Server) { v.choice(&s.TLS, tlsAuto, Implicit, StartTLS) }},
	{name: "allow_non_secure", read: func(v value, s *Server) { v.boolean(&s.AllowNonSecure) }},
	{name: "allow_non_secure_login", read: func(v value, s *Server) { v.boolean(&s.AllowNonSecureLogin) }},
	{name: "auth", read: func(v value, s *Server) { v.choice(&s.Auth, AuthPassword, AuthGoogle, AuthMicrosoft) }},
	{name: "login", read: func(v value, s *Server) { v.text(&s.Login) }},
	{name: "password", read: func(v value, s *Server) { v.secret(&s.Password, inline) }},
	{name: "password_file", read: func(v value, s *Server) { v.secret(&s.Password, file) }},
	{name: "password_command", read: func(v value, s *Server) { v.secret(&s.Password, command) }},
	{name: "senders", read: func(v value, s *Server) { v.senders(&s.Senders) }},
	{name: "token_command", read: func(v value, s *Server) { v.secret(&s.Password, token) }},
	{name: "ca_file", read: func(v value, s *Server) { v.caFile(&s.CAFile) }},
	{name: "tls_fingerprint", read: func(v value, s *Server) { v.fingerprint(&s.TLSFingerprint) }},
	{name: "preset", read: func(v value, s *Server) {
		if v.raw != "" {
			v.choice(&s.Preset, PresetNames()...)
		}
	}},
	{name: "connections", read: func(v value, s *Server) { v.number(&s.Connections, 1, 1000) }},
	{name: "messages_per_connection", read: func(v value, s *Server) { v.number(&s.MessagesPerConnection, 1, maxCount) }},
	{name: "rate_per_minute", read: func(v value, s *Server) { v.number(&s.RatePerMinute, 0, maxCount) }},
	{name: "rate_per_day", read: func(v value, s *Server) { v.number(&s.RatePerDay, 0, maxCount) }},
	{name: "recipients_per_message", read: func(v value, s *Server) { v.number(&s.RecipientsPerMessage, 1, maxCount) }},
	{name: "timeout", read: func(v value, s *Server) { v.timeout(&s.Timeout) }},
	{name: "data_timeout", read: func(v value, s *Server) { v.timeout(&s.DataTimeout) }},
}

var limitKeys = [...]key[Limit]{
	{name: "domains", read: func(v value, l *Limit) { v.domains(&l.Domains) }},
	{name: "messages", read: func(v value, l *Limit) { v.number(&l.Messages, 1, maxCount) }},
	{name: "per", read: func(v value, l *Limit) { v.timeout(&l.Per) }},
}

var retryKeys = [...]key[Retry]{
	{name: "short_range", read: func(v value, r *Retry) { v.duration(&r.ShortRange) }},
	{name: "short_delay", read: func(v value, r *Retry) { v.span(&r.ShortDelay) }},
	{name: "long_delay", read: func(v value, r *Retry) { v.span(&r.LongDelay) }},
	{name: "give_up", read: func(v value, r *Retry) { v.duration(&r.GiveUp) }},
	{name: "warn_after", read: func(v value, r *Retry) { v.duration(&r.WarnAfter) }},
}

var spoolKeys = [...]key[Spool]{
	{name: "dir", read: func(v value, s *Spool) { v.path(&s.Dir) }},
	{name: "max_message_size", read: func(v value, s *Spool) {
		take(v, &s.MaxMessageSize, `a number of octets, or one with KiB, MiB or GiB, like "50MiB"`, sizeOf)
	}},
	{name: "keep_failed", read: func(v value, s *Spool) { v.duration(&s.KeepFailed) }},
	{name: "keep_history", read: func(v value, s *Spool) { v.duration(&s.KeepHistory) }},
	{name: "database", read: func(v value, s *Spool) { database(v, &s.Database) }},
	{name: "database_password", read: func(v value, s *Spool) { v.secret(&s.DatabasePassword, inline) }},
	{name: "database_password_file", read: func(v value, s *Spool) { v.secret(&s.DatabasePassword, file) }},
	{name: "database_password_command", read: func(v value, s *Spool) { v.secret(&s.DatabasePassword, command) }},
}

var logKeys = [...]key[Log]{
	{name: "to", read: func(v value, l *Log) { v.logTarget(&l.To) }},
}

var bouncesKeys = [...]key[Bounces]{
	{name: "imap", read: func(v value, b *Bounces) { hostPort(v, &b.Imap) }},
	{name: "auth", read: func(v value, b *Bounces) { v.choice(&b.Auth, AuthPassword, AuthGoogle, AuthMicrosoft) }},
	{name: "login", read: func(v value, b *Bounces) { v.text(&b.Login) }},
	{name: "password", read: func(v value, b *Bounces) { v.secret(&b.Password, inline) }},
	{name: "password_file", read: func(v value, b *Bounces) { v.secret(&b.Password, file) }},
	{name: "password_command", read: func(v value, b *Bounces) { v.secret(&b.Password, command) }},
	{name: "token_command", read: func(v value, b *Bounces) { v.secret(&b.Password, token) }},
	{name: "ca_file", read: func(v value, b *Bounces) { v.caFile(&b.CAFile) }},
	{name: "folder", read: func(v value, b *Bounces) { v.text(&b.Folder) }},
	{name: "move_to", read: func(v value, b *Bounces) { v.text(&b.MoveTo) }},
}

// maxCount keeps a count within an int of any machine.
const maxCount = 1_000_000_000

// section is one [section] or [[section]].
type section struct {
	name   string
	many   bool                               // [[section]]
	intake bool                               // Need Intake covers it
	names  func() []string                    // of its keys
	read   func(l *loader, t table, at place) // of one of its tables
}

// sections returns the table of sections. It is a function, because a variable would refer
// to itself through the readers.
func sections() []section {
	return []section{
		{name: "site", intake: true, names: namesOf(siteKeys[:]), read: (*loader).site},
		{name: "delivery", names: namesOf(deliveryKeys[:]), read: func(l *loader, t table, at place) { fill(l, t, at, deliveryKeys[:], &l.cfg.Delivery) }},
		{name: "server", many: true, names: namesOf(serverKeys[:]), read: (*loader).server},
		{name: "limit", many: true, names: namesOf(limitKeys[:]), read: (*loader).limit},
		{name: "retry", intake: true, names: namesOf(retryKeys[:]), read: func(l *loader, t table, at place) { fill(l, t, at, retryKeys[:], &l.cfg.Retry) }},
		{name: "spool", intake: true, names: namesOf(spoolKeys[:]), read: (*loader).spool},
		{name: "log", names: namesOf(logKeys[:]), read: func(l *loader, t table, at place) { fill(l, t, at, logKeys[:], &l.cfg.Log) }},
		{name: "google", names: namesOf(keysOf(AuthGoogle)), read: (*loader).account},
		{name: "microsoft", names: namesOf(keysOf(AuthMicrosoft)), read: (*loader).account},
		{name: "bounces", names: namesOf(bouncesKeys[:]), read: (*loader).bounces},
		{name: "service", names: namesOf(serviceKeys[:]), read: readService},
		{name: "serve", names: namesOf(serveKeys[:]), read: readServe},
		{name: "dkim", names: namesOf(dkimKeys[:]), read: readDKIM},
	}
}

// header is the section as it is written.
func (s *section) header() string {
	if s.many {
		return "[[" + s.name + "]]"
	}
	return "[" + s.name + "]"
}

// Keys lists every key that a config may have, as section.key, in the order in
// which notices.toml(5) documents them.
func Keys() []string {
	var all []string
	eachKey(func(s *section, name string) { all = append(all, s.name+"."+name) })
	return all
}

func eachKey(yield func(s *section, name string)) {
	for _, s := range sections() {
		for _, name := range s.names() {
			yield(&s, name)
		}
	}
}

// namesOf lists the keys.
func namesOf[T any](keys []key[T]) func() []string {
	return func() []string {
		var names []string
		for _, k := range keys {
			names = append(names, k.name)
		}
		return names
	}
}

// sectionsWith lists the sections that have a key of that name, as they are written.
func sectionsWith(name string) string {
	var found []string
	eachKey(func(s *section, key string) {
		if key == name {
			found = append(found, s.header())
		}
	})
	return strings.Join(found, " or ")
}
