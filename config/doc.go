// Package config turns notices.toml into one plain, validated struct with its
// defaults filled in. It knows the keys, what each may hold, and how to tell a
// person what is wrong: file, line, key, what is allowed. It knows nothing of the
// rest of the program: cmd/notices, which alone imports it, makes objects of it.
//
// Two thoughts shape it. A wrong setting must not lose mail: all problems are
// collected, each with the section it is in, and LoadFor lets a command that takes
// mail in refuse only what it needs itself; the rest stops flush, and the mail
// waits. And a config is read by every enqueue, a process a message: so the
// document is parsed once into plain maps and read through the tables in keys.go,
// with no reflection and no regular expression, and lines are counted only when
// there is something to report.
//
// A key is added in one place, its row in keys.go.
//
// Secrets are not read here but by Secret.Read, when one is needed; they never
// appear in an error or when a Config is printed.
package config
