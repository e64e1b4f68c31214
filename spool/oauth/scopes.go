package oauth

import (
	"slices"
	"strings"
)

// missing lists the scopes that were asked for and not granted. granted is the scope
// field of the answer; without one all was granted (RFC 6749 5.1).
func missing(asked []Scope, granted string, present bool) []Scope {
	if !present {
		return nil
	}
	have := strings.Fields(granted)
	var lacking []Scope
	for i := range asked {
		if !asked[i].Unlisted && !slices.ContainsFunc(have, asked[i].is) {
			lacking = append(lacking, asked[i])
		}
	}
	return lacking
}

// is reports whether a granted scope is this one, in any of its spellings.
func (s *Scope) is(granted string) bool {
	return strings.EqualFold(granted, s.Name) || slices.ContainsFunc(s.Also, func(other string) bool { return strings.EqualFold(granted, other) })
}
