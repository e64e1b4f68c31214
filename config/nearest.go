package config

import "strings"

// hint says what an unknown name was probably meant to be, or what there is.
func hint(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	if home := homes(name); home != "" {
		return " here; it belongs in " + home
	}
	return "; the keys here are " + strings.Join(known, ", ")
}

// nearest is the known name with the fewest slips of the keyboard between it and
// name, or "" when none is near enough to be meant.
func nearest(name string, known []string) string {
	if len(name) > 64 { // no key; and the distance costs the product of the lengths
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

// distance counts the letters to add, drop, replace or swap with their neighbour
// (optimal string alignment). Octets will do: known names are ASCII.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
