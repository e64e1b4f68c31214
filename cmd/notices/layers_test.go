package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors says which package may import which: lower floors only, never sideways. The page
// that argues for it is the package comment of each. A package that is not here
// fails the test: it has to be given its place.
func floors() map[string]int {
	return map[string]int{
		"notices/spool":                0,
		"notices/spool/internal/fsys":  0,
		"notices/spool/internal/piece": 0,
		"notices/spool/printable":      0,
		"notices/spool/recode":         0,
		"notices/spool/schedule":       0,
		"notices/spool/maildir/lines":  0,
		"notices/spool/maillog":        0,
		"notices/spool/fairqueue":      0,
		"notices/spool/faulty":         0,
		"notices/spool/storetest":      0,
		"notices/spool/smtpreply":      0,
		"notices/spool/smtptest":       0,
		"notices/config":               0,
		"notices/config/migrate":       0,
		"notices/config/command":       0,
		"notices/config/document":      0,
		"notices/config/secretfile":    0,
		"notices/config/spelling":      0,
		"notices/config/units":         0,

		"notices/spool/alert":               1,
		"notices/spool/dkim":                1,
		"notices/spool/drop":                1,
		"notices/spool/feed":                1,
		"notices/spool/postgres":            1,
		"notices/spool/postgres/address":    0,
		"notices/spool/postgres/batch":      0,
		"notices/spool/postgres/timedconn":  0,
		"notices/spool/postgres/locks":      0,
		"notices/spool/postgres/refusal":    0,
		"notices/spool/postgres/rowtext":    0,
		"notices/spool/maildir":             1,
		"notices/spool/maildir/sidecar":     1,
		"notices/spool/maildir/values":      1,
		"notices/spool/bounce":              1,
		"notices/spool/broker":              1,
		"notices/spool/oauth":               1,
		"notices/spool/intake":              1,
		"notices/spool/intake/mailaddr":     1,
		"notices/spool/intake/mbox":         1,
		"notices/spool/move":                1,
		"notices/spool/rate":                1,
		"notices/spool/service":             1,
		"notices/spool/records":             1,
		"notices/spool/smtpclient":          1,
		"notices/spool/maildir/historyfile": 1,
		"notices/spool/maildir/imports":     1,
		"notices/spool/maildir/reuse":       1,
		"notices/spool/maildir/advice":      1,

		"notices/spool/buffer":     2,
		"notices/spool/mailbox":    2,
		"notices/spool/returns":    2,
		"notices/spool/route":      2,
		"notices/spool/probe":      2,
		"notices/spool/submission": 2,
		"notices/spool/flush":      2,
		"notices/spool/history":    2,

		"notices/spool/history/report": 3,

		"notices/cmd/internal/app": 2,

		"notices/cmd/notices/latest":   1,
		"notices/cmd/notices/mailfile": 3,
		"notices/cmd/notices/term":     3,
		"notices/cmd/notices/metrics":  3,
		"notices/cmd/notices/announce": 4,
		"notices/cmd/notices/dkimkey":  4,
		"notices/cmd/notices/importer": 4,
		"notices/cmd/notices/database": 4,
		"notices/cmd/notices/past":     4,
		"notices/cmd/notices/summary":  4,
		"notices/cmd/notices/queue":    4,
		"notices/cmd/notices/setup":    4,
		"notices/cmd/notices/serving":  4,
		"notices/cmd/notices/signin":   4,
		"notices/cmd/notices/sites":    4,
		"notices/cmd/notices/hosting":  5,
		"notices/cmd/notices/returned": 5,
		"notices/cmd/notices/status":   5,
		"notices/cmd/notices":          6,
		"notices/cmd/notices-queue":    3,

		// No code but for tests.
		"notices/man":                    0,
		"notices/cmd/notices/fakesite":   3,
		"notices/spool/internal/simfs":   1,
		"notices/spool/maildirtest":      2,
		"notices/spool/postgres/cluster": 0,
		"notices/spool/torture":          3,
	}
}

// sideways are the imports that stay on their floor, and why.
func sideways() map[string]string {
	return map[string]string{
		// The words all share are the ground that the ground floor stands on; and foreign
		// text is made fit to be shown wherever it is shown.
		"notices/spool":           "everybody",
		"notices/spool/printable": "everybody",
	}
}

// owners says who alone may import a library. notices/cmd stands for all below it.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/spf13/cobra":          {"notices/cmd/notices"},
		"github.com/spf13/pflag":          {"notices/cmd/notices"},
		"github.com/BurntSushi/toml":      {"notices/config/document"},
		"github.com/emersion/go-message":  {"notices/spool/returns"},
		"github.com/emersion/go-msgauth":  {"notices/spool/dkim"},
		"github.com/coreos/go-systemd":    {"notices/cmd/notices/serving"},
		"github.com/emersion/go-smtp":     {"notices/spool/submission", "notices/spool/smtptest"},
		"github.com/emersion/go-sasl":     {"notices/spool/mailbox", "notices/spool/submission", "notices/spool/smtptest"},
		"github.com/emersion/go-imap/v2":  {"notices/spool/mailbox"},
		"github.com/jackc/pgx/v5":         {"notices/spool/postgres", "notices/spool/postgres/address", "notices/spool/postgres/batch", "notices/spool/postgres/locks", "notices/spool/postgres/refusal"},
		"golang.org/x/oauth2":             {"notices/spool/oauth"},
		"golang.org/x/net/idna":           {"notices/spool/recode"},
		"golang.org/x/net/netutil":        {"notices/cmd/notices/serving"},
		"golang.org/x/net/dns":            {"notices/cmd/notices"},                          // the DNS server of its tests
		"notices/config":                  {"notices/cmd", "notices/config", "notices/man"}, // whose tests compare keys
		"github.com/mattn/go-runewidth":   {"notices/cmd/notices/term"},
		"github.com/rogpeppe/go-internal": {"notices/cmd/notices"},
	}
}

// source is one Go file and its imports.
type source struct {
	name    string // within the module
	pkg     string // its folder's import path
	imports []string
	inits   int // init functions
	test    bool
}

// sources reads the files of the whole module. It does not ask `go list`,
// whose answer the test cache would keep.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	for _, name := range goFiles(t, false) { // scripts are tools on top of the program, not part of it
		found = append(found, parse(t, name))
	}
	return found
}

// goFiles lists the Go files of the module, or of the program without scripts/.
func goFiles(t *testing.T, scripts bool) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || name == "scripts" && !scripts):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func parse(t *testing.T, name string) source {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", name), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s := source{
		name: name,
		pkg:  path.Join("notices", path.Dir(name)),
		test: strings.HasSuffix(name, "_test.go"),
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			s.inits++
		}
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		s.imports = append(s.imports, imported)
	}
	return s
}

func TestFloors(t *testing.T) {
	floor, exempt, seen := floors(), sideways(), map[string]bool{}
	for _, s := range sources(t) {
		mine, known := floor[s.pkg]
		seen[s.pkg] = true
		if !known {
			t.Errorf("%s: package %s is on no floor", s.name, s.pkg)
			continue
		}
		if s.test {
			continue // a test may fetch its peers from anywhere
		}
		for _, imported := range s.imports {
			theirs, ours := floor[imported]
			if !ours && strings.HasPrefix(imported, "notices/") {
				t.Errorf("%s imports %s, which is on no floor", s.name, imported)
			}
			inside := theirs == mine && strings.HasPrefix(imported, s.pkg+"/") // a part of the package that is a package
			if ours && theirs >= mine && exempt[imported] == "" && !inside {
				t.Errorf("%s (floor %d) imports %s (floor %d)", s.name, mine, imported, theirs)
			}
		}
	}
	for pkg := range floor {
		if !seen[pkg] {
			t.Errorf("package %s has a floor, but no code", pkg)
		}
	}
}

func TestLibrariesHaveOneOwner(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for library, by := range owners() {
				if imported != library && !strings.HasPrefix(imported, library+"/") {
					continue
				}
				if !slices.ContainsFunc(by, func(owner string) bool {
					return s.pkg == owner || owner == "notices/cmd" && strings.HasPrefix(s.pkg, "notices/cmd/")
				}) {
					t.Errorf("%s imports %s, which is for %s alone", s.name, imported, strings.Join(by, ", "))
				}
			}
		}
	}
}

// pages says which packages write web pages. Their templates are made when they are needed.
func pages() []string { return []string{"notices/spool/history/report"} }

// TestNoWorkBeforeMain: an enqueue is a process a message, so what it links does
// nothing before main.
func TestNoWorkBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.pkg == "notices/spool/smtptest" || s.pkg == "notices/spool/storetest" {
			continue
		}
		if s.inits > 0 {
			t.Errorf("%s has an init function", s.name)
		}
		for _, imported := range s.imports {
			page := imported == "html/template" && slices.Contains(pages(), s.pkg)
			if imported == "regexp" || imported == "text/template" || imported == "html/template" && !page {
				t.Errorf("%s imports %s", s.name, imported)
			}
		}
	}
}
