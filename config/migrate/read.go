// Package migrate reads the configuration of other programs that hand a site's mail
// to a server: nullmailer, msmtp, ssmtp, dma, and the relay host of Postfix. Only
// `notices init --from` uses it. So it is apart from package config, which every enqueue
// links.
//
// It notes of every line what it became, or why it was skipped. It notes each guess, runs
// no command of a file, and shows no secret in a Note. Each reader follows the manual of
// its program: how a value is quoted, which keys exist, and their defaults.
package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"
)

// Config is the configuration that was found.
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
	// NonSecure: mail went to it without TLS, always or when TLS failed.
	NonSecure bool
	// NonSecureLogin: so did the password.
	NonSecureLogin bool
	// Unverified: TLS was used, but the certificate was not verified.
	Unverified bool
	Login      string // empty: no AUTH
	// At most one of these three is set.
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
	// Became is the setting in notices.toml, such as `port = 587`. If it is empty, Why gives the reason.
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

// ReadFile gives the content of a file; the error is fs.ErrNotExist if it does not exist.
type ReadFile func(path string) ([]byte, error)

// Read reads the configuration at p: a file, or the folder that a program has it in.
func Read(p string, read ReadFile) (*Config, error) {
	for _, k := range programs {
		if slices.Contains(k.files, path.Base(p)) {
			return k.read(path.Dir(p), path.Base(p), read)
		}
	}
	for _, k := range programs { // a folder
		for _, name := range k.files {
			if _, err := read(path.Join(p, name)); err == nil {
				return k.read(p, name, read)
			}
		}
	}
	text, err := read(p)
	if err != nil {
		return nil, err
	}
	for _, line := range lines(text) { // a file of another name
		word := line[:strings.IndexAny(line+" ", "= \t")]
		for _, k := range programs {
			if k.word != "" && (word == k.word || k.name == "ssmtp" && strings.EqualFold(word, k.word)) {
				return k.read(path.Dir(p), path.Base(p), read)
			}
		}
	}
	return nil, errors.New("is not a file that is known here: notices init --from reads the files of nullmailer (remotes), msmtp (msmtprc), " +
		"ssmtp (ssmtp.conf), dma (dma.conf) and Postfix (main.cf)")
}

// program is a program whose files are read.
type program struct {
	name  string
	files []string // its main file's names
	word  string   // a line of that file begins so, and none of the other programs' does
	parse func(r *reader, text []byte)
}

var programs = [...]program{
	{"nullmailer", []string{"remotes"}, "", nullmailer},
	{"msmtp", []string{"msmtprc", ".msmtprc"}, "account", readMSMTP},
	{"ssmtp", []string{"ssmtp.conf"}, "mailhub", readSSMTP},
	{"dma", []string{"dma.conf"}, "SMARTHOST", readDMA},
	{"Postfix", []string{"main.cf"}, "relayhost", readPostfix},
}

func (k *program) read(dir, name string, read ReadFile) (*Config, error) {
	text, err := read(path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("is not a text file")
	}
	r := &reader{dir: dir, file: path.Join(dir, name), readFile: read, out: &Config{Program: k.name}}
	k.parse(r, text)
	if len(r.out.Servers) == 0 {
		return nil, fmt.Errorf("names no server to send through%s", r.noServer)
	}
	order := map[string]int{} // of the files
	for _, n := range r.out.Notes {
		if _, ok := order[n.File]; !ok {
			order[n.File] = len(order)
		}
	}
	slices.SortStableFunc(r.out.Notes, func(a, b Note) int {
		return cmp.Or(order[a.File]-order[b.File], a.Line-b.Line)
	})
	return r.out, nil
}

// reader reads one configuration. Each program has a function or a type of its own that
// uses it.
type reader struct {
	dir, file string
	readFile  ReadFile
	out       *Config
	noServer  string // why there may be no server
}

// setting is one setting of a file, and its line, from 1.
type setting struct {
	line       int
	key, value string
	what       string // as a note shows it: without a secret
}

// bare is the setting without its value, for notes.
func (v setting) bare() setting {
	v.what = v.key
	return v
}

// became notes what a setting is now.
func (r *reader) became(v setting, format string, args ...any) {
	r.out.Notes = append(r.out.Notes, Note{File: r.file, Line: v.line, What: v.what, Became: fmt.Sprintf(format, args...)})
}

// skip notes that a setting has no counterpart.
func (r *reader) skip(v setting, why string) {
	r.out.Notes = append(r.out.Notes, Note{File: r.file, Line: v.line, What: v.what, Why: why})
}

// unknown notes that a setting has no counterpart, and why, if that is known. Else the note
// does not show its value, which may be a password.
func (r *reader) unknown(v setting, otherwise string) {
	why := reasonFor(v.key)
	switch {
	case strings.EqualFold(v.key, "aliases") && v.value == "/etc/aliases":
		r.became(v, "notices reads it too")
		return
	case why == "":
		v, why = v.bare(), otherwise
	}
	r.skip(v, why)
}

// explain adds to the last note.
func (r *reader) explain(why string) { r.out.Notes[len(r.out.Notes)-1].Why = why }

// other reads another file of the program, in its folder unless the name is a path. If v
// names the file and it cannot be read, a note says so.
func (r *reader) other(v setting, name string) (file string, text []byte, ok bool) {
	if file = name; !path.IsAbs(file) {
		file = path.Join(r.dir, name)
	}
	text, err := r.readFile(file)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || v.what != "") {
		r.skip(v, "cannot be read: "+err.Error())
	}
	return file, text, err == nil
}

// within is other, and work reads the text; its notes are about that file.
func (r *reader) within(v setting, name string, work func(text []byte)) (ok bool) {
	file, text, ok := r.other(v, name)
	if ok {
		main := r.file
		r.file = file
		work(text)
		r.file = main
	}
	return ok
}

// lines yields the number and the text of each line that is neither empty nor a
// comment, without the spaces around it.
func lines(text []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if s := strings.TrimSpace(string(line)); s != "" && s[0] != '#' && !yield(n, s) {
				return
			}
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
