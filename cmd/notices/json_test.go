package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// keysOf are the keys of the next JSON value, in their order and as the pages write them:
// {id, recipients: [{address, state}]}. An array has those of its first element; null and values
// without keys have none.
func keysOf(d *json.Decoder) (string, error) {
	token, err := d.Token()
	opening, isDelim := token.(json.Delim)
	if err != nil || !isDelim {
		return "", err
	}
	var parts []string
	for d.More() {
		name := ""
		if opening == '{' {
			key, err := d.Token()
			if err != nil {
				return "", err
			}
			name = fmt.Sprint(key)
		}
		keys, err := keysOf(d)
		if err != nil {
			return "", err
		}
		if name != "" && keys != "" {
			name += ": "
		}
		parts = append(parts, name+keys)
	}
	if _, err := d.Token(); err != nil {
		return "", err
	}
	if opening == '{' {
		return "{" + strings.Join(parts, ", ") + "}", nil
	}
	if len(parts) == 0 {
		return "[]", nil
	}
	return "[" + parts[0] + "]", nil
}

// keys TEXT: what was printed is one JSON value with these keys and no others.
func jsonKeys(ts *testscript.TestScript, _ bool, args []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	got, err := keysOf(d)
	ts.Check(err)
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("more than one value was printed: %v", err)
	}
	if want := strings.Join(strings.Fields(strings.Join(args, " ")), " "); got != want {
		ts.Fatalf("the keys are\n%s\nand not\n%s", got, want)
	}
}

func TestKeysOf(t *testing.T) {
	for text, want := range map[string]string{
		`null`:                                   ``,
		`[]`:                                     `[]`,
		`{}`:                                     `{}`,
		`{"b":1,"a":null,"c":["x","y"],"d":[]}`:  `{b, a, c: [], d: []}`,
		`[{"id":"x","to":[{"a":1},{"b":2}]},{}]`: `[{id, to: [{a}]}]`,
		`{"google":{"account":"","scopes":["x"]}}`: `{google: {account, scopes: []}}`,
	} {
		if got, err := keysOf(json.NewDecoder(strings.NewReader(text))); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	if _, err := keysOf(json.NewDecoder(strings.NewReader(`{"a":`))); err == nil {
		t.Error("half a value has keys")
	}
}
