package drop

import (
	"cmp"
	"iter"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// userName is a user's name, or else the number. Built without cgo, as notices is, it
// asks the file alone and no other source such as LDAP.
func userName(uid uint32) string { return cmp.Or(lookUpUser(uid), number(uid)) }

// lookUpUser is a user's name; empty if it is unknown.
func lookUpUser(uid uint32) string {
	if u, err := user.LookupId(number(uid)); err == nil {
		return u.Username
	}
	return ""
}

func groupName(gid uint32) string {
	if g, err := user.LookupGroupId(number(gid)); err == nil {
		return g.Name
	}
	return number(gid)
}

// accounts yields the colon-separated fields of each line of a file of passwd(5) or
// group(5) that has at least four.
func accounts(file string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		b, _ := os.ReadFile(file) // what cannot be read names nobody
		for line := range strings.Lines(string(b)) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 4 && !yield(f) {
				return
			}
		}
	}
}

// members says whether a user is in a group, and who else is. A user without an entry
// is taken to be.
func members(passwdFile, groupFile string, uid, gid uint32) (inside bool, others []string) {
	name, known := "", false
	for f := range accounts(passwdFile) {
		switch {
		case f[2] == number(uid):
			name, known = f[0], true
			inside = inside || f[3] == number(gid)
		case f[3] == number(gid):
			others = append(others, f[0])
		}
	}
	for f := range accounts(groupFile) {
		if f[2] == number(gid) {
			all := strings.Split(f[3], ",")
			inside = inside || name != "" && slices.Contains(all, name)
			others = append(others, slices.DeleteFunc(all, func(s string) bool { return s == "" || s == name })...)
		}
	}
	return inside || !known, others
}
