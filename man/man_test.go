package man_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"notices/config"
)

// pages are the names of all pages here.
func pages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("notices*.[0-9]")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return names
}

func page(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// plain undoes the escapes that the pages use.
func plain(s string) string {
	return strings.NewReplacer(`\(lB`, "[", `\(rB`, "]", `\(dq`, `"`, `\&`, "").Replace(s)
}

// section returns the lines of the .Sh or .Ss with that name.
func section(lines []string, name string) []string {
	for i, line := range lines {
		if line == ".Sh "+name || line == ".Ss "+name {
			rest := lines[i+1:]
			end := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, ".S") })
			return rest[:max(end, 0)]
		}
	}
	return nil
}

// terms are the first words of the items that are set as .It Cm.
func terms(lines []string) []string {
	var found []string
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, ".It Cm "); ok {
			word, _, _ := strings.Cut(rest, " ")
			found = append(found, word)
		}
	}
	return found
}

// TestKeys: notices.toml(5) has exactly the keys of config.Keys, in the same order.
func TestKeys(t *testing.T) {
	var documented []string
	in := ""
	for _, line := range page(t, "notices.toml.5") {
		line = plain(line)
		if name, ok := strings.CutPrefix(line, ".Ss ["); ok {
			in = strings.Trim(name, "[]") + "."
		} else if strings.HasPrefix(line, ".Sh ") {
			in = ""
		}
		if rest, ok := strings.CutPrefix(line, ".It Cm "); ok && in != "" {
			key, _, _ := strings.Cut(rest, " ")
			documented = append(documented, in+key)
		}
	}
	if want := config.Keys(); !slices.Equal(documented, want) {
		t.Errorf("notices.toml(5) documents\n%v\nthe keys are\n%v", documented, want)
	}
}

func TestKeysHaveDefaults(t *testing.T) {
	key, told := "", true
	for _, line := range page(t, "notices.toml.5") {
		if strings.HasPrefix(line, "Default:") || line == "Required." {
			told = true
		}
		rest, item := strings.CutPrefix(line, ".It Cm ")
		if (item || line == ".El") && !told {
			t.Errorf("notices.toml(5) has no default of %s", key)
		}
		if item {
			key, told = rest, false
		}
	}
}

// TestLadder: the schedule in notices.toml(5) is the one that package schedule
// computes.
func TestLadder(t *testing.T) {
	b, err := os.ReadFile("../spool/schedule/testdata/ladder.golden")
	if err != nil {
		t.Fatal(err)
	}
	_, middle, _ := strings.Cut(string(b), "every draw in the middle\n")
	middle, _, _ = strings.Cut(middle, "\n\n")
	golden := strings.Split(middle, "\n")
	quoted := 0
	for _, line := range section(page(t, "notices.toml.5"), "RETRY SCHEDULE") {
		if !regexp.MustCompile(`^ *[0-9]+ +[0-9:]+ +[0-9:]+$`).MatchString(line) {
			continue
		}
		quoted++
		if !slices.Contains(golden, line) {
			t.Errorf("notices.toml(5) quotes %q, which is not in ladder.golden", line)
		}
	}
	if last := golden[len(golden)-1]; quoted < 10 || !slices.Contains(page(t, "notices.toml.5"), last) {
		t.Errorf("%d lines of the schedule are quoted; the last is to be %q", quoted, last)
	}
}

// TestEventKinds: notices-spool(5) has every kind of event that a sidecar may hold.
func TestEventKinds(t *testing.T) {
	kinds := constants(t, "../spool/record.go", "Kind")
	documented := terms(section(page(t, "notices-spool.5"), "The sidecar"))
	for _, kind := range kinds {
		if !slices.Contains(documented, kind) {
			t.Errorf("notices-spool(5) lacks the event %q", kind)
		}
	}
	if len(kinds) == 0 {
		t.Error("no kinds found in spool/record.go")
	}
}

// constants are the values of a file's string constants of a type.
func constants(t *testing.T, file, of string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || fmt.Sprint(spec.Type) != of {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok && lit.Value != `""` {
				values = append(values, strings.Trim(lit.Value, `"`))
			}
		}
		return true
	})
	return values
}

// TestPromises: each promise in notices-spool(5) names a test, and these tests exist in the
// folders that it names.
func TestPromises(t *testing.T) {
	lines := section(page(t, "notices-spool.5"), "PROMISES")
	promises, tests := 0, 1
	for i, line := range append(lines, ".It") {
		if line == ".It" {
			if tests == 0 {
				t.Errorf("promise %d names no test", promises)
			}
			promises, tests = promises+1, 0
		}
		name, ok := strings.CutPrefix(line, ".Ql Test")
		if !ok {
			continue
		}
		tests++
		dir := strings.Fields(strings.TrimPrefix(lines[i+2], ".Pa "))[0]
		if name = "Test" + name; !hasTest(t, filepath.Join("..", dir), name) {
			t.Errorf("notices-spool(5) names %s in %s, which is not there", name, dir)
		}
	}
	promises--
	if promises != 8 {
		t.Errorf("notices-spool(5) has %d promises, the spool makes 8", promises)
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)")
	})
}

// TestPages: title and name of a page agree with its file, notices(1) lists every command,
// and the pages that a page refers to exist.
func TestPages(t *testing.T) {
	all := pages(t)
	overview := page(t, "notices.1")
	for _, name := range all {
		lines := page(t, name)
		title, number, _ := strings.Cut(name[:len(name)-2]+" "+name[len(name)-1:], " ")
		if want := ".Dt " + strings.ToUpper(title) + " " + number; lines[1] != want {
			t.Errorf("%s is titled %q, want %q", name, lines[1], want)
		}
		if first := section(lines, "NAME"); len(first) == 0 || first[0] != ".Nm "+title {
			t.Errorf("%s is not named %s", name, title)
		}
		if number == "1" && title != "notices" && !slices.Contains(overview, ".It Xr "+title+" 1") {
			t.Errorf("notices(1) does not list %s", title)
		}
		for _, line := range lines {
			if ref := regexp.MustCompile(`Xr (\S+) (\d)`).FindStringSubmatch(line); ref != nil && !slices.Contains(all, ref[1]+"."+ref[2]) {
				t.Errorf("%s refers to %s(%s), which is not here", name, ref[1], ref[2])
			}
		}
	}
}

// TestSections: the page of every command has all sections, such as exit status and examples.
func TestSections(t *testing.T) {
	for _, name := range pages(t) {
		if !strings.HasSuffix(name, ".1") {
			continue
		}
		lines := page(t, name)
		for _, want := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"} {
			if !slices.Contains(lines, ".Sh "+want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
	}
}

// TestChanges: notices-changes(7) begins with the version of the program, and notices-version(1)
// shows it.
func TestChanges(t *testing.T) {
	b, err := os.ReadFile("../cmd/internal/app/version.go")
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`(?m)^var Version = "(.+)"`).FindSubmatch(b)
	if number == nil {
		t.Fatal("version.go has no line that scripts/version could read")
	}
	newest := regexp.MustCompile(`(?m)^\.Sh VERSION (.+)`).FindStringSubmatch(strings.Join(page(t, "notices-changes.7"), "\n"))
	if newest == nil || newest[1] != string(number[1]) {
		t.Errorf("this is version %s, notices-changes(7) begins with %q", number[1], newest)
	}
	if !strings.Contains(strings.Join(page(t, "notices-version.1"), "\n"), "\nnotices "+string(number[1])+" (go") {
		t.Errorf("notices-version(1) does not show version %s", number[1])
	}
}
