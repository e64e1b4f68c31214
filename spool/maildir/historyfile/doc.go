// Package historyfile keeps the history of a spool folder: what became of each message for
// each recipient (spool.HistoryEntry).
//
//	history/DAY   the entries written on that day (UTC), a line each, added at the end
//
// # Lines
//
// A line begins with a checksum as in a sidecar (package lines) and has cells with tabs between
// them (line.go). Control characters, the backslash and what does not show are escaped as Go
// does, so that no text can end a line or a cell. Times are in UTC and of one width, so that
// they compare as bytes. Where a recipient or sender has capital letters, a cell at the end
// has it in lower case: a search for the bytes in lower case finds it, however it was written.
// Further cells are of a newer version and are passed over.
//
// The newline stands before a line, not behind it. So an entry begins on a line of its own even
// if the one before it was cut off, by a full disk or a power cut, and even if another process
// wrote that one. The last line of the file that is written now may be unfinished.
//
// No file is ever rewritten. An entry that supersedes another one (a failed message was revived
// and delivered; a delivered one came back later) is one more line, and whoever reads lets the
// last line of a name count: of a later day, or further down in the file. So it does no harm
// either to write an entry twice. That happens: after a kill between a server's 250 and the
// removal the message is sent again, and its entry is written again; a removal or a move to
// failed/ that failed is done again with its entry.
//
// A file is named by when its entries were written, not by when they ended. Else an entry that
// comes later could stand in an earlier file than the one that it supersedes. No entry is in a
// file of a day before it ended, unless the clock was set back.
//
// # What a crash costs
//
// The entries of a message are written with one write(2), before its sidecar goes: a killed
// process loses none. They are synced with all others of the same second, before the removals
// are: a power cut costs no entry of a message whose removal it leaves, but for those whose
// bodies are found marked as finished, of the last second. Mail does not wait for its history: if
// an entry cannot be written (the disk is full, the folder is another user's), the message
// leaves all the same, and the error is kept for Err.
//
// # Searching
//
// A search reads the files in blocks, and checks all lines of a block, four side by side, so
// that a damaged line is reported whatever is asked for: it may be the one. Then it looks for
// the bytes of the address or reference, and parses only the lines that contain them. Of each
// matching line it keeps 32 octets: when the message was queued, a hash of the entry's name, and
// where the line is. These are sorted; of
// each name the last line counts; then the lines that are left are read once more. So a search
// needs memory for what it finds, not for what there is.
//
// A file that cannot be read, a link or a folder in its place, hides no other day: it is told, with
// what to do.
package historyfile
