package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The system's config, and the spool that goes with it. They are variables for builds for a
// system with other places (-ldflags "-X notices/config.SystemFile=..."), and for tests,
// which must not touch an installed notices.
var (
	SystemFile  = "/etc/notices/notices.toml"
	SystemSpool = "/var/spool/notices"
)

// Find returns the config file to use: the one of --config, else $NOTICES_CONFIG, else
// the user's if it exists, else the system's. It does not look for a file that was named:
// Load tells what is wrong with it. The error is an *Error that names the places.
func Find(flag string, getenv func(string) string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if named := getenv("NOTICES_CONFIG"); named != "" {
		return named, nil
	}
	var tried []string
	for _, path := range []string{UserFile(getenv), SystemFile} {
		if path == "" {
			continue
		}
		// Load reports any error but a missing file: the next file would be a config that
		// nobody meant.
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", &Error{Msg: "no config file: looked for " + strings.Join(tried, " and ") +
		"; to write one, run: notices init", Err: fs.ErrNotExist}
}

// UserFile is the place of a user's config, where `notices init` writes one: $XDG_CONFIG_HOME/notices/notices.toml; empty when $HOME is not set.
func UserFile(getenv func(string) string) string {
	dir := baseDir(getenv, "XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "notices", "notices.toml")
}

// baseDir follows the XDG Base Directory Specification: a relative path in the
// variable is ignored.
func baseDir(getenv func(string) string, variable, below string) string {
	if dir := getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, below)
	}
	return ""
}

// defaultSpool is the spool of a config that names none.
func defaultSpool(path string, getenv func(string) string) (string, error) {
	if filepath.Clean(path) == SystemFile {
		return SystemSpool, nil
	}
	dir := baseDir(getenv, "XDG_STATE_HOME", filepath.Join(".local", "state"))
	if dir == "" {
		return "", errors.New("is not set, and $HOME is not set either: add dir with the full path of a folder")
	}
	return filepath.Join(dir, "notices", "spool"), nil
}

// absolute completes a path of the config: "~/" is $HOME, and a relative path starts at
// the folder of the config file, whatever folder cron runs in.
func (l *loader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok && os.Getenv("HOME") != "" {
		return filepath.Join(os.Getenv("HOME"), rest)
	}
	if l.folder == "" {
		l.folder = filepath.Dir(l.cfg.Path)
		if abs, err := filepath.Abs(l.folder); err == nil { // else the working folder is gone
			l.folder = abs
		}
	}
	return filepath.Join(l.folder, path)
}
