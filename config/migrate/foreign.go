// Package migrate reads the configuration of other programs that hand a site's mail
// to a server: nullmailer, msmtp, ssmtp, dma, and what of Postfix is about a relay
// host. It serves `notices init --from`, and nothing else: so it stands apart from
// package config, which every enqueue links.
//
// It tells of every line what became of it, or why nothing did. Nothing is guessed
// without saying so, no command in a file is run, and no secret is in a Note. Each
// reader follows the manual of its program: what is quoted how, which keys there are,
// what holds when one is missing.
package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Config is what was found.
type Config struct {
	Program   string // "msmtp"
	Name      string // of the site, before its address; empty: unknown
	Address   string // of the site: the default sender; empty: unknown
	Admin     string // who got the mail for the machine's own users; empty: unknown
	Hostname  string // what the machine called itself to servers
	Rewrite   bool   // every mail was sent from Address
	Servers   []Server
	GiveUp    time.Duration // 0: unknown
	WarnAfter time.Duration // after which a sender was told of a delay; 0: unknown
	MaxSize   int           // octets of a message; 0: unknown
	Syslog    bool          // events went to the system's log
	Notes     []Note
}

// Server is one mail server, in the order in which they were tried.
type Server struct {
	Host string
	Port int    // always set
	TLS  string // "implicit", "starttls" or "": none was used
	// Lax: mail went to it without TLS, always or where TLS could not be had.
	Lax bool
	// ClearLogin: then the password did, too.
	ClearLogin bool
	// Unverified: it was used with TLS, and without looking at its certificate.
	Unverified bool
	Login      string // empty: no AUTH
	// Of the three at most one is set.
	Password        string
	PasswordCommand string
	TokenCommand    string // prints an access token instead
	CAFile          string
	Fingerprint     string        // "sha256:HEX" of its certificate; empty: any that its CA signed
	Timeout         time.Duration // 0: unknown
}

// Note is what became of one setting.
type Note struct {
	File string
	Line int    // 0: the file as a whole
	What string // the setting as it stands there, secrets masked
	// Became is what it is now, such as `port = 587`; empty: nothing, and Why says why.
	Became string
	Why    string
}

// String is the note on one line.
func (n Note) String() string {
	at := n.File
	if n.Line > 0 {
		at += fmt.Sprintf(":%d", n.Line)
	}
	switch {
	case n.Became == "":
		return fmt.Sprintf("%s: %s: not taken over: %s", at, n.What, n.Why)
	case n.Why == "":
		return fmt.Sprintf("%s: %s: %s", at, n.What, n.Became)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", at, n.What, n.Became, n.Why)
}

// ReadFile gives the content of a file; the error is fs.ErrNotExist when there is none.
type ReadFile func(path string) ([]byte, error)

// Read reads the configuration at p: a file, or the folder that a program has it in.
func Read(p string, read ReadFile) (*Config, error) {
	for _, k := range kinds() {
		if k.knows(path.Base(p)) {
			return k.from(path.Dir(p), path.Base(p), read)
		}
	}
	for _, k := range kinds() { // a folder
		for _, name := range k.names {
			if _, err := read(path.Join(p, name)); err == nil {
				return k.from(p, name, read)
			}
		}
	}
	text, err := read(p)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds() { // a file of another name
		if k.looks(text) {
			return k.from(path.Dir(p), path.Base(p), read)
		}
	}
	return nil, errors.New("is not a file that is known here: notices init --from reads the files of nullmailer (remotes), msmtp (msmtprc), " +
		"ssmtp (ssmtp.conf), dma (dma.conf) and Postfix (main.cf)")
}

// kind is a program whose files are read.
type kind struct {
	program string
	names   []string // of its main file
	word    string   // a line of it begins so, and none of the others' does
	parse   func(r *reader, text []byte)
}

func kinds() []kind {
	return []kind{
		{"nullmailer", []string{"remotes"}, "", (*reader).nullmailer},
		{"msmtp", []string{"msmtprc", ".msmtprc"}, "account", (*reader).msmtp},
		{"ssmtp", []string{"ssmtp.conf"}, "mailhub", (*reader).ssmtp},
		{"dma", []string{"dma.conf"}, "SMARTHOST", (*reader).dma},
		{"Postfix", []string{"main.cf"}, "relayhost", (*reader).postfix},
	}
}

func (k *kind) knows(name string) bool {
	for _, n := range k.names {
		if n == name {
			return true
		}
	}
	return false
}

// looks reports whether the text is of that kind, by a word that must be in it.
func (k *kind) looks(text []byte) bool {
	for line := range bytes.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		word, _, _ = strings.Cut(strings.TrimSpace(word), " ")
		word, _, _ = strings.Cut(word, "\t")
		if k.word != "" && (word == k.word || k.program == "ssmtp" && strings.EqualFold(word, k.word)) {
			return true
		}
	}
	return false
}

func (k *kind) from(dir, name string, read ReadFile) (*Config, error) {
	text, err := read(path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("is no text file")
	}
	r := &reader{dir: dir, file: path.Join(dir, name), read: read, out: &Config{Program: k.program}}
	k.parse(r, text)
	if len(r.out.Servers) == 0 {
		return nil, fmt.Errorf("names no server to send through%s", r.nothing)
	}
	r.sortNotes()
	return r.out, nil
}

// sortNotes puts them in the order of the files and their lines.
func (r *reader) sortNotes() {
	order := map[string]int{}
	for _, n := range r.out.Notes {
		if _, ok := order[n.File]; !ok {
			order[n.File] = len(order)
		}
	}
	slices.SortStableFunc(r.out.Notes, func(a, b Note) int {
		return cmp.Or(order[a.File]-order[b.File], a.Line-b.Line)
	})
}

// reader reads one configuration.
type reader struct {
	dir, file string
	read      ReadFile
	out       *Config
	nothing   string // why there may be no server
}

// took notes what a setting became.
func (r *reader) took(line int, what, format string, args ...any) {
	r.out.Notes = append(r.out.Notes, Note{File: r.file, Line: line, What: what, Became: fmt.Sprintf(format, args...)})
}

// left notes that a setting has no counterpart.
func (r *reader) left(line int, what, why string) {
	r.out.Notes = append(r.out.Notes, Note{File: r.file, Line: line, What: what, Why: why})
}

// unknown notes that a key has no counterpart, and why if more is known of it; else its
// value is not shown, which may be a password.
func (r *reader) unknown(line int, what, key, otherwise string) {
	if why, ok := reasons[key]; ok {
		r.left(line, what, why)
		return
	}
	word, _, _ := strings.Cut(what, " ")
	word, _, _ = strings.Cut(word, "=")
	r.left(line, word, otherwise)
}

// because adds to the last note.
func (r *reader) because(why string) { r.out.Notes[len(r.out.Notes)-1].Why = why }

// beside reads another file of the program: one in its folder, or one that is named
// with its path. A note tells when it cannot be read.
func (r *reader) beside(line int, what, name string) (file string, text []byte, ok bool) {
	file = name
	if !path.IsAbs(file) {
		file = path.Join(r.dir, name)
	}
	text, err := r.read(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) || what != "" {
			r.left(line, what, fmt.Sprintf("%s cannot be read: %s", file, reason(err)))
		}
		return file, nil, false
	}
	return file, text, true
}

func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// within has the notes that are made until the next call name another file.
func (r *reader) within(file string, work func()) {
	mine := r.file
	r.file = file
	work()
	r.file = mine
}

// lines calls yield with the number and the text of each line that is neither empty
// nor a comment, without the spaces around it.
func lines(text []byte, yield func(n int, line string)) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if s := strings.TrimSpace(string(line)); s != "" && s[0] != '#' {
			yield(n, s)
		}
	}
}

// Duration writes one as notices.toml does.
func Duration(d time.Duration) string {
	for _, u := range [...]struct {
		one    time.Duration
		letter string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%u.one == 0 {
			return fmt.Sprintf("%d%s", d/u.one, u.letter)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// hidden stands for a secret in a note.
const hidden = "(hidden)"

// systemCAs are the files that the system's certificates are in, by its kind.
func systemCAs(file string) bool {
	switch file {
	case "system", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem":
		return true
	}
	return false
}
