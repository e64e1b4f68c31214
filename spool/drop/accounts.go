package drop

import (
	"os"
	"strconv"
	"strings"
)

// Names of users and groups are for people to read, so they come from the files
// alone: other sources (LDAP) need cgo or a process, and the number says it, too.
const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// records yields the colon-separated fields of each line of a file of passwd(5) or
// group(5) that has at least as many.
func records(file string, fields int, yield func([]string) bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= fields && !yield(f) {
			return
		}
	}
}

// nameIn is the name that goes with a number in such a file; empty: none.
func nameIn(file string, number uint32) (name string) {
	want := strconv.FormatUint(uint64(number), 10)
	records(file, 3, func(f []string) bool {
		if f[2] == want {
			name = f[0]
		}
		return name == ""
	})
	return name
}

func userName(uid uint32) string { return nameOrNumber(passwdFile, uid) }

func groupName(gid uint32) string { return nameOrNumber(groupFile, gid) }

func nameOrNumber(file string, number uint32) string {
	if name := nameIn(file, number); name != "" {
		return name
	}
	return strconv.FormatUint(uint64(number), 10)
}

// members says whether a user is in a group, and who else is. A user without an entry
// is taken to be.
func members(passwdFile, groupFile string, uid, gid uint32) (inside bool, others []string) {
	user, group := strconv.FormatUint(uint64(uid), 10), strconv.FormatUint(uint64(gid), 10)
	name, known := "", false
	records(passwdFile, 4, func(f []string) bool {
		switch {
		case f[2] == user:
			name, known = f[0], true
			inside = inside || f[3] == group
		case f[3] == group:
			others = append(others, f[0])
		}
		return true
	})
	records(groupFile, 4, func(f []string) bool {
		if f[2] != group {
			return true
		}
		for member := range strings.SplitSeq(f[3], ",") {
			switch {
			case member == "":
			case member == name:
				inside = true
			default:
				others = append(others, member)
			}
		}
		return true
	})
	return inside || !known, others
}
