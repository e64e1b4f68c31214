package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeLeadsToCode: the files that README.md names exist, and so does what it says
// is in them.
func TestReadmeLeadsToCode(t *testing.T) {
	text := readme(t)
	_, table, _ := strings.Cut(text, "## Where the code is")
	places := 0
	for _, m := range regexp.MustCompile("`([\\w.]+)`(?: and `([\\w.]+)`)? in `([a-z/-]+\\.go)`").FindAllStringSubmatch(table, -1) {
		for _, name := range m[1:3] {
			if name == "" {
				continue
			}
			places++
			if file := m[3]; !declares(t, file, name) {
				t.Errorf("README.md says that %s is in %s", name, file)
			}
		}
	}
	if places < 8 {
		t.Errorf("only %d places found", places)
	}
	for _, m := range regexp.MustCompile("[`(]\\.?((?:spool|cmd|scripts|man|config|\\.github)/[\\w/.-]+)[`)]").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			t.Errorf("README.md names %s: %v", m[1], err)
		}
	}
}

// declares says whether a file of the module declares a function or type of that name, or
// a method, named Type.Method.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, 0)
	if err != nil {
		t.Error(err)
		return false
	}
	found := false
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			full := d.Name.Name
			if d.Recv != nil {
				full = strings.TrimPrefix(exprText(d.Recv.List[0].Type), "*") + "." + full
			}
			found = found || full == name
		case *ast.GenDecl:
			for _, s := range d.Specs {
				typ, ok := s.(*ast.TypeSpec)
				found = found || ok && typ.Name.Name == name
			}
		}
	}
	return found
}

func exprText(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		return "*" + exprText(star.X)
	}
	return fmt.Sprint(e)
}
