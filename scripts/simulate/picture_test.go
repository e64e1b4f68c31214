package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "draw "+pictureFile+" anew from "+resultsFile)

// saved are the results of the night, which take a while to compute.
func saved(t *testing.T) *both {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	var b both
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestPicture: the picture in man/ is the one of the saved results.
func TestPicture(t *testing.T) {
	name := filepath.Join("../..", pictureFile)
	drawn := saved(t).Any.picture()
	if *update {
		if err := os.WriteFile(name, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, kept) {
		t.Errorf("%s is not what is drawn of %s; -update draws it anew", pictureFile, resultsFile)
	}
}

// TestManual: notices-flush(1) has the table of the saved results.
func TestManual(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("../..", pageFile))
	if err != nil {
		t.Fatal(err)
	}
	again, err := withTable(page, saved(t).table())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, page) {
		t.Errorf("the table in %s is not that of %s; go run ./scripts/simulate -save writes both", pageFile, resultsFile)
	}
}
