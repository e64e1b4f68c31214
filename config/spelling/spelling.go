// Package spelling guesses what a misspelled key or section was meant to be.
package spelling

import "strings"

// Nearest is the known name with the fewest typing errors between it and name, or "" if
// none is near enough.
func Nearest(name string, known []string) string {
	if len(name) > 64 { // not a key; and the time is the product of the lengths
		return ""
	}
	best, found := 1+len(name)/3, ""
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d <= best && (found == "" || d < best) {
			best, found = d, k
		}
	}
	return found
}

// distance counts the letters to add, drop or replace. Octets will do: known names are
// ASCII.
func distance(a, b string) int {
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			other := 1
			if a[i] == b[j] {
				other = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+other)
		}
		last, row = row, last
	}
	return last[len(b)]
}
