package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// The limits that keep the code readable: of one package, of one type, and of all
// packages that only tests use.
const (
	maxLines   = 2500
	maxFiles   = 25
	maxMethods = 20
	maxSupport = 5700 // storetest has a part about the history; the store in a database needs a server, a standby and what cuts it off; certificates in files
)

// support are the packages that only tests import.
func support() []string {
	return []string{"cmd/notices/fakesite", "spool/faulty", "spool/internal/simfs", "spool/maildirtest", "spool/postgres/cluster", "spool/smtptest", "spool/storetest"}
}

// size is what one package has, or several of them.
type size struct{ lines, files int }

func (s size) add(o size) size { return size{s.lines + o.lines, s.files + o.files} }

// figures are the sizes of the module's code.
type figures struct {
	packages map[string]size // by folder, without tests
	tests    size            // all files that end in _test.go, those of scripts/ too
	scripts  size            // the rest of scripts/
	methods  map[string]int  // by type of a package
	lengths  map[int]string  // of the product's functions: one name a length
	counts   []int           // of the product's functions: their lengths, sorted
}

func measure(t *testing.T) *figures {
	t.Helper()
	f := &figures{packages: map[string]size{}, methods: map[string]int{}, lengths: map[int]string{}}
	for _, name := range goFiles(t, true) {
		text, err := os.ReadFile(path.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		one := size{bytes.Count(text, []byte("\n")), 1}
		switch dir := path.Dir(name); {
		case strings.HasSuffix(name, "_test.go"):
			f.tests = f.tests.add(one)
		case strings.HasPrefix(name, "scripts/"):
			f.scripts = f.scripts.add(one)
		default:
			f.packages[dir] = f.packages[dir].add(one)
			f.functions(t, dir, text)
		}
	}
	slices.Sort(f.counts)
	return f
}

// functions counts the methods of each type and the lines of each function.
func (f *figures) functions(t *testing.T, dir string, text []byte) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := dir + "." + fn.Name.Name
		if fn.Recv != nil {
			owner := receiver(fn.Recv.List[0].Type)
			name = dir + "." + owner + "." + fn.Name.Name
			f.methods[dir+"."+owner]++
		}
		if !slices.Contains(support(), dir) {
			lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1
			f.lengths[lines] = name
			f.counts = append(f.counts, lines)
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return fmt.Sprint(e)
}

// totals returns the sizes of the product and of what only tests use.
func (f *figures) totals() (product, forTests size) {
	for dir, s := range f.packages {
		if slices.Contains(support(), dir) {
			forTests = forTests.add(s)
		} else {
			product = product.add(s)
		}
	}
	return product, forTests
}

// print writes what scripts/figures shows.
func (f *figures) print(w io.Writer) {
	product, forTests := f.totals()
	fmt.Fprintf(w, "%6s %5s\n", "lines", "files")
	row := func(s size, name, mark string) { fmt.Fprintf(w, "%6d %5d  %s%s\n", s.lines, s.files, name, mark) }
	row(product, "product", "")
	row(forTests, "test support", "")
	row(f.tests, "tests", "")
	row(f.scripts, "scripts", "")
	fmt.Fprintln(w)
	dirs := slices.SortedFunc(maps.Keys(f.packages), func(a, b string) int { return cmp.Compare(f.packages[b].lines, f.packages[a].lines) })
	for _, dir := range dirs {
		mark := ""
		if s := f.packages[dir]; s.lines > maxLines || s.files > maxFiles {
			mark = "  OVER"
		}
		row(f.packages[dir], dir, mark)
	}
	n := len(f.counts)
	longest := f.counts[n-1]
	fmt.Fprintf(w, "\n%d functions: median %d lines, nine in ten up to %d, longest %d (%s)\n",
		n, f.counts[n/2], f.counts[n*9/10], longest, f.lengths[longest])
	for _, name := range slices.Sorted(maps.Keys(f.methods)) {
		if f.methods[name] > maxMethods {
			fmt.Fprintf(w, "%s has %d methods  OVER\n", name, f.methods[name])
		}
	}
}

// TestSizes holds the limits. With -v it prints all figures, as scripts/figures does.
func TestSizes(t *testing.T) {
	f := measure(t)
	if testing.Verbose() {
		f.print(t.Output())
	}
	for name, s := range f.packages {
		if s.lines > maxLines || s.files > maxFiles {
			t.Errorf("%s has %d lines in %d files, more than %d and %d", name, s.lines, s.files, maxLines, maxFiles)
		}
	}
	if _, forTests := f.totals(); forTests.lines > maxSupport {
		t.Errorf("test support has %d lines, more than %d", forTests.lines, maxSupport)
	}
	for name, n := range f.methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, maxMethods)
		}
	}
}
