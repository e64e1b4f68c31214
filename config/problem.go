package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"notices/config/document"
)

// place is where in the document something stands.
type place = document.Place

// Setting is one line that `notices init` sets in the config that it writes.
type Setting = document.Setting

// Error is one thing that is wrong with a config file.
type Error struct {
	File string
	Line int    // from 1; 0: not one line's fault
	Key  string // as a person would point at it: "[site] name", "[[server]] 2 port"
	Msg  string // what is wrong and what is allowed or to be done
	Err  error  // the system's error, if there was one

	place place
	orAt  place  // the line to show if place is not in the file
	meant string // for an unknown section: the one that was probably meant
}

// section is the section that e is a problem of.
func (e *Error) section() string { return cmp.Or(e.meant, e.place.Section) }

// Error is one line: FILE:LINE: KEY: what is wrong.
func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	if text != "" {
		text += ": "
	}
	if e.Key != "" {
		text += e.Key + " "
	}
	return text + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// Problems is everything that is wrong with a config file.
type Problems []*Error

// Error is one line a problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, e := range p {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one to errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, e := range p {
		errs[i] = e
	}
	return errs
}

// filter returns the problems for which keep holds, as an error, or nil.
func (p Problems) filter(keep func(*Error) bool) error {
	if kept := slices.DeleteFunc(slices.Clone(p), func(e *Error) bool { return !keep(e) }); len(kept) > 0 {
		return kept
	}
	return nil
}

// locate fills in the lines and sorts by them.
func (p Problems) locate(data []byte) {
	at := document.Index(data)
	for _, e := range p {
		if e.Line = at.Line(e.place); e.Line == 0 {
			e.Line = at.Line(e.orAt)
		}
	}
	slices.SortStableFunc(p, func(a, b *Error) int {
		return cmp.Or(a.Line-b.Line, strings.Compare(a.Key, b.Key))
	})
}
