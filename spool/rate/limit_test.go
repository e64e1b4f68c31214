package rate

import "testing"

// A domain in two limits is found in whatever form it is written.
func TestDuplicate(t *testing.T) {
	one := Limit{Domains: []string{"example.net", "bücher.example"}}
	for other, found := range map[string]bool{
		"xn--bcher-kva.example": true, "XN--BCHER-KVA.Example": true, "BÜCHER.example": true, "bücher.example": true,
		"bu\u0308cher.example": true, "bucher.example": false, "example.com": false,
	} {
		list := []Limit{one, {Domains: []string{"example.org"}}, {Domains: []string{"example.edu", other}}}
		domain, first, second, ok := Duplicate(list)
		if ok != found || ok && (domain != other || first != 0 || second != 2) {
			t.Errorf("%s: %s in %d and %d, %v", other, domain, first, second, ok)
		}
	}
	if _, _, _, ok := Duplicate([]Limit{{Domains: []string{"bücher.example", "xn--bcher-kva.example"}}}); ok {
		t.Error("both forms in one limit are one domain")
	}
}
