// Package maillog is the log: one method an event, one line an event, and no other
// way to write into it, so that notices-log(5) can list every line there is.
//
// A line is the event's word and key=value pairs (logfmt). A value that is empty or
// has a space, a quote, an equals sign or anything unprintable in it stands in
// double quotes, with \n, \t, \" \\, \u0000 and \xff for what must not be there in
// person: whatever a server, a message or a file name holds, it cannot end its line
// or forge a field. In a file each line begins with the time in UTC (RFC 3339);
// syslog and journald have a time of their own.
//
// The lines are not made by log/slog's text handler. It has no place for a word without a
// key, leaves letters of other scripts unquoted and writes control characters in another
// way, so that every line that notices-log(5) promises would change; and the small
// binary, which links this package, would link all of slog.
//
// A nil *Log is silent. Trouble with the log itself never stops mail: it is kept
// for Close.
package maillog
