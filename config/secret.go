package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	shell "notices/config/command"
	"notices/config/document"
	"notices/config/secretfile"
)

// Secret is a password, a token or a key that is read when it is needed, never at Load.
// The zero value is no secret. It holds a pointer, so that no way of printing a Config
// shows what is behind it, and copies share what was read.
type Secret struct{ src *source }

// secretKind is how a secret is given.
type secretKind int

const (
	inline     secretKind = iota // in the config itself
	file                         // a file with the secret on its only line
	wholeFile                    // a file that is taken whole: the JSON files of Google
	command                      // a command that prints it
	token                        // a command that prints an access token
	credential                   // a file in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=)
)

// source is where a secret comes from, and what came from there.
type source struct {
	by   secretKind
	text string // the secret, the path, the command, or the credential's name
	at   place  // the key that gives it
	cfg  *Config

	reading chan struct{} // full while somebody reads: a mutex that a context can end the wait for
	secret  string        // what was read; "" before that
}

// maxSecret is the longest secret file or output of a command, in octets.
const maxSecret = secretfile.Max

// IsToken reports whether it is an access token, for XOAUTH2, and not a password.
func (s Secret) IsToken() bool { return s.src != nil && s.src.by == token }

// Key is the key that gives it: "password_file"; "" without one.
func (s Secret) Key() string {
	if s.src == nil {
		return ""
	}
	return s.src.at.Key
}

// IsSet reports whether the config or systemd gives a secret, not whether it can be read.
func (s Secret) IsSet() bool { return s.src != nil }

// HasKey reports whether a key of the config gives the secret, and not systemd.
func (s Secret) HasKey() bool { return s.src != nil && s.src.by != credential }

// String hides the secret from all verbs of fmt.
func (s Secret) String() string { return "(hidden)" }

// Read returns the secret. It is read once in the life of the process, so that
// connections that open at the same time share one run of a command. The error is ctx's,
// or an *Error that names key and file, and never what was read.
func (s Secret) Read(ctx context.Context) (string, error) { return s.Refresh(ctx, "") }

// Token is Read, so that a Secret is a source of tokens for smtpclient.
func (s Secret) Token(ctx context.Context) (string, error) { return s.Read(ctx) }

// Refresh reads the secret again, because a server refused stale. Connections that were
// refused at the same time share what the first of them reads. Errors are those of Read.
func (s Secret) Refresh(ctx context.Context, stale string) (string, error) {
	if s.src == nil {
		return "", errors.New("no secret is set")
	}
	select {
	case s.src.reading <- struct{}{}:
		defer func() { <-s.src.reading }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if s.src.secret != stale {
		return s.src.secret, nil
	}
	var err error
	s.src.secret, err = s.src.read(ctx) // "" where that fails: stale is not used again
	switch {
	case err != nil && ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", faultAt(s.src.cfg.Path, s.src.at, err)
	}
	return s.src.secret, nil
}

// read gets the secret from where it is, and checks its form.
func (s *source) read(ctx context.Context) (text string, err error) {
	switch s.by {
	case inline:
		text = s.text
	case file, wholeFile:
		text, err = (secretfile.File{Path: s.text, Private: true, Spool: s.cfg.Spool.Dir}).Read()
	case command, token:
		text, err = shell.Run(ctx, s.text, shell.MaxTime, maxSecret+2)
	case credential:
		text, err = readCredential(s.text, s.at.Key)
	}
	if err != nil {
		return "", err
	}
	// Editors and echo add the line end. The answer to AUTH is one line, and NUL separates
	// its parts (RFC 4616).
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case text == "":
		return "", errors.New("gives an empty secret")
	case len(text) > maxSecret:
		return "", fmt.Errorf("gives more than %d KiB, which is too long for a secret", maxSecret>>10)
	case s.by == wholeFile:
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New("gives more than one line; a secret is a single line")
	case hasControl(text):
		return "", errors.New("gives a secret with control characters in it")
	}
	return text, nil
}

// readCredential reads what systemd gives to this service alone, whatever the file's mode.
func readCredential(name, key string) (text string, err error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir != "" {
		text, err = (secretfile.File{Path: filepath.Join(dir, name)}).Read()
	}
	if dir == "" || errors.Is(err, fs.ErrNotExist) {
		ways := "password_file, password_command or password"
		if strings.HasSuffix(key, "_file") {
			ways = key
		}
		return "", fmt.Errorf("is not set, and systemd provides no credential %s: add %s", name, ways)
	}
	return text, err
}

// faultAt is an error that was found when the value of a key was used, after Load. It reads
// the file once more, to name the line.
func faultAt(path string, at place, err error) *Error {
	e := &Error{File: path, Key: at.String(), Msg: err.Error(), Err: err, place: at}
	if data, _, err := readFile(path); err == nil {
		e.Line = document.Index(data).Line(at)
	}
	return e
}

// Fault is an error with the file that a key names: a key of [section], or of the nth
// [[section]].
func (c *Config) Fault(section string, n int, key string, err error) *Error {
	return faultAt(c.Path, place{Section: section, N: n, Key: key}, err)
}

// newSource is the source that a key, or the lack of one, gives a secret.
func (l *loader) newSource(by secretKind, at place, text string) *source {
	return &source{by: by, text: text, at: at, cfg: l.cfg, reading: make(chan struct{}, 1)}
}

// checkWritable refuses a config that everybody can change, and so decide where mail and
// passwords go. It does not stop mail from being taken in.
func (l *loader) checkWritable() {
	if l.mode&0o002 != 0 {
		l.add(&Error{Msg: "can be changed by everybody; run: chmod o-w " + l.cfg.Path})
	}
}

// checkMode refuses a config that holds a secret and that others can read, and one
// that names a command to run and that others can change.
func (l *loader) checkMode(at place, by secretKind) {
	switch {
	case by == inline && l.mode&secretfile.OthersBits != 0:
		l.bad(at, "is in a file that others can read; run: chmod 600 "+l.cfg.Path)
	case (by == command || by == token) && l.mode&0o022 != 0:
		l.bad(at, "is a command in a file that others can change; run: chmod go-w "+l.cfg.Path)
	}
}

// namedFile is a file that a key names.
type namedFile struct {
	at      place
	path    string
	private bool
}

// checkFiles notes the files that would be refused, without reading one.
func (l *loader) checkFiles() {
	for _, f := range l.files {
		if err := (secretfile.File{Path: f.path, Private: f.private, Spool: l.cfg.Spool.Dir}).Check(); err != nil {
			text := err.Error()
			if f.at.Section == "dkim" && errors.Is(err, fs.ErrNotExist) {
				text += "; to make it, run: notices dkim-key"
			}
			l.bad(f.at, text)
		}
	}
}
