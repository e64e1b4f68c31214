// Package man holds the manual pages, written by hand in mdoc(7), and the tests
// that hold them to the code: the keys of notices.toml(5) to package config, the
// kinds of events of notices-spool(5) to package spool, the events of notices-log(5)
// to package maillog, the schedule that is quoted to the one that is computed.
// Whether each option of a command is in its page is tested in cmd/notices.
package man
