package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Secret is a password that is read when it is needed, never at Load. The zero
// value is no secret. It holds a pointer, so that no way of printing a Config shows
// what is behind it, and copies share what a command gave.
type Secret struct{ src *source }

// way is how a secret is given.
type way int

const (
	inline way = iota
	file
	command
	token // a command, that prints an access token
	// credential: a file in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=).
	credential
)

type source struct {
	by     way
	key    string // the key that gave it: "password_file"
	text   string // the secret, the path, the command, or the credential's name
	at     place
	config string // the config file
	ran    answer // by == command
}

// maxSecret is the longest secret file or answer of a command, in octets.
const maxSecret = 64 << 10

// IsToken reports whether it is an access token, for XOAUTH2, and not a password.
func (s Secret) IsToken() bool { return s.src != nil && s.src.by == token }

// Key is the key that gives it: "password_file"; "" where there is none.
func (s Secret) Key() string {
	if s.src == nil {
		return ""
	}
	return s.src.key
}

// IsSet reports whether there is a way to a secret; not whether it works.
func (s Secret) IsSet() bool { return s.src != nil }

// HasKey reports whether a key of the config gives the secret, and not systemd.
func (s Secret) HasKey() bool { return s.src != nil && s.src.by != credential }

// String says that there is a secret, and nothing of it.
func (s Secret) String() string {
	if s.src == nil {
		return "none"
	}
	return "(hidden)"
}

// GoString is String: for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String: for JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Read returns the secret. What a command prints is asked for once in the life of
// the process, until Forget; files are read each time. The error is an *Error that
// names key and file, and never what was read.
func (s Secret) Read(ctx context.Context) (string, error) {
	if s.src == nil {
		return "", errors.New("there is no secret")
	}
	var text string
	var err error
	switch s.src.by {
	case inline:
		return s.src.text, nil
	case file:
		text, err = readSecretFile(s.src.text, true)
	case command, token:
		text, err = s.src.ran.get(ctx, s.src.text)
	case credential:
		text, err = s.src.readCredential()
	}
	if err == nil {
		text, err = trimSecret(text)
	}
	if err != nil {
		return "", faultAt(s.src.config, s.src.at, err)
	}
	return text, nil
}

// faultAt is an error that was found when what a key says was used, after Load. The
// file is read once more, to say the line.
func faultAt(path string, at place, err error) *Error {
	e := &Error{File: path, Key: at.String(), Msg: err.Error(), Err: err, place: at}
	if data, _, err := readFile(path); err == nil {
		e.Line = index(data).line(at)
	}
	return e
}

// Fault is what went wrong with the file that a key names: of [section], or of the
// nth [[section]].
func (c *Config) Fault(section string, n int, key string, err error) *Error {
	return faultAt(c.Path, place{section: section, n: n, key: key}, err)
}

// Forget makes the next Read run the command again: after the server refused what
// it gave.
func (s Secret) Forget() {
	if s.src != nil {
		s.src.ran.forget()
	}
}

// readSecretFile reads a whole secret file that checkFile finds in order.
func readSecretFile(path string, private bool) (string, error) {
	if err := checkFile(path, private); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fileError(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fileError(path, err)
	}
	return string(b), nil
}

// checkFile looks at a file without opening it. private: others must not be able to
// read or change it.
func checkFile(path string, private bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fileError(path, err)
	case !info.Mode().IsRegular(): // a pipe would be waited for, for ever
		return fmt.Errorf("names %s, which is no regular file", path)
	case private && info.Mode()&othersBits != 0:
		return fmt.Errorf("names a file that others can read or change; run: chmod 600 %s", path)
	}
	return nil
}

// othersBits are the permissions of everybody but the owner.
const othersBits fs.FileMode = 0o077

func fileError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("names a file that is not there: %s", path)
	case errors.Is(err, fs.ErrPermission):
		return notReadable(path)
	}
	return fmt.Errorf("names %s, which cannot be read: %s", path, reason(err))
}

// notReadable says what to do about a file that this user may not read. One that belongs
// to another user stays that user's: it may be the service's, and this one a passer-by.
func notReadable(path string) error {
	msg := fmt.Sprintf("names %s, which this user may not read: run notices as the user that the file belongs to", path)
	if info, err := os.Stat(path); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 {
			msg = fmt.Sprintf("names %s, which belongs to root: it must belong to the user that runs notices; "+
				"if this is that user, run as root: chown %d %s", path, os.Geteuid(), path)
		}
	}
	return &deniedError{msg}
}

// deniedError is fs.ErrPermission in words of our own.
type deniedError struct{ msg string }

func (e *deniedError) Error() string        { return e.msg }
func (e *deniedError) Is(target error) bool { return target == fs.ErrPermission }

// readCredential reads what systemd put there for this service alone: its
// permissions are systemd's affair.
func (s *source) readCredential() (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	path := filepath.Join(dir, s.text)
	if dir == "" || missing(path) {
		return "", fmt.Errorf("is not set, and systemd gives no credential %s: add password_file, "+
			"password_command or password", s.text)
	}
	return readSecretFile(path, false)
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// trimSecret cuts the line end that editors and echo add, and refuses what no
// password is: the answer to AUTH is one line, and NUL separates its parts (RFC 4616).
func trimSecret(text string) (string, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case text == "":
		return "", errors.New("gives an empty secret")
	case len(text) > maxSecret:
		return "", fmt.Errorf("gives more than %d KiB: that is no secret", maxSecret>>10)
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New("gives more than one line: a secret is one line")
	case hasControl(text):
		return "", errors.New("gives a secret with control characters in it")
	}
	return text, nil
}

// newSource is what a key, or the lack of one, says about a secret.
func (l *loader) newSource(by way, at place, text string) *source {
	return &source{by: by, key: at.key, text: text, at: at, config: l.cfg.Path, ran: answer{turn: make(chan struct{}, 1)}}
}

// credentialFor gives the password of a server that no key gives the name of a
// systemd credential: server1.password for the password of server 1.
func (l *loader) credentialFor(s *Server, at place) {
	at.key = "password"
	if s.Login != "" && s.Auth == AuthPassword && !s.Password.IsSet() {
		s.Password.src = l.newSource(credential, at, "server"+s.Name+".password")
	}
}

// checkWritable refuses a config that everybody can change: they would decide where
// mail and passwords go. It stops no mail from being taken in.
func (l *loader) checkWritable() {
	if l.mode&0o002 != 0 {
		l.add(&Error{Msg: "can be changed by everybody; run: chmod o-w " + l.cfg.Path})
	}
}

// checkMode refuses a config that holds a secret and that others can read, and one
// that names a command to run and that others can change.
func (l *loader) checkMode(at place, by way) {
	switch {
	case by == inline && l.mode&othersBits != 0:
		l.bad(at, "is in a file that others can read; run: chmod 600 "+l.cfg.Path)
	case (by == command || by == token) && l.mode&0o022 != 0:
		l.bad(at, "is a command in a file that others can change; run: chmod go-w "+l.cfg.Path)
	}
}

// checkFiles notes the files that would be refused, without reading one.
func (l *loader) checkFiles() {
	for i := range l.cfg.Servers {
		s := &l.cfg.Servers[i]
		at := place{section: "server", n: i + 1, key: "ca_file"}
		if s.CAFile != "" {
			l.noteFile(at, s.CAFile, false)
		}
		if src := s.Password.src; src != nil && src.by == file {
			l.noteFile(src.at, src.text, true)
		}
	}
	l.checkAccount("google", &l.cfg.Google)
	l.checkAccount("microsoft", &l.cfg.Microsoft)
}

func (l *loader) noteFile(at place, path string, private bool) {
	if err := checkFile(path, private); err != nil {
		l.bad(at, err.Error())
	}
}
