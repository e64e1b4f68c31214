//go:build peers

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// packages builds the packages, once for all tests, and returns their folder.
var packages = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(runtime, "packages")
	return dir, buildPackages(dir)
})

func buildPackages(dir string) error {
	cmd := exec.Command(filepath.Join(root, "scripts/package"), dir)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1790000000", "VERSION=1.2+3.gabcdef0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/package: %w\n%s", err, out)
	}
	return nil
}

// packaged is the path of one of the packages.
func packaged(t *testing.T, name string) string {
	t.Helper()
	dir, err := packages()
	check(t, err)
	arch := map[string]string{"notices": goArch(t), "notices-mta": "all"}[name]
	return filepath.Join(dir, name+"_1.2+3.gabcdef0-1_"+arch+".deb")
}

func packagedRPM(t *testing.T, name string) string {
	t.Helper()
	dir, err := packages()
	check(t, err)
	found, err := filepath.Glob(filepath.Join(dir, name+"-1.2+3.gabcdef0-1.*.rpm"))
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("packages %s: %v", name, found)
	}
	return found[0]
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func goArch(t *testing.T) string { return strings.TrimSpace(output(t, "go", "env", "GOARCH")) }

// TestPackagesAreReproducible: the same source and date give the same bytes.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	first, err := packages()
	check(t, err)
	second := filepath.Join(folder(t), "packages")
	check(t, buildPackages(second))
	if a, b := sums(t, first), sums(t, second); a != b || strings.Count(a, "\n") != 4 {
		t.Errorf("once\n%sand once\n%s", a, b)
	}
}

func sums(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	var list strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		fmt.Fprintf(&list, "%x %s\n", sha256.Sum256(text), filepath.Base(file))
	}
	return list.String()
}

// TestLintian: Debian's own critic finds neither an error nor anything to warn of.
func TestLintian(t *testing.T) {
	t.Parallel()
	said := output(t, "lintian", "--allow-root", "--no-cfg", "--fail-on", "none",
		packaged(t, "notices"), packaged(t, "notices-mta"))
	if said != "" {
		t.Errorf("lintian:\n%s", said)
	}
}

// TestRPM: rpm can read the other kind, and finds in it what the first one has.
func TestRPM(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"notices", "notices-mta"} {
		if said := output(t, "rpm", "-K", packagedRPM(t, name)); !strings.Contains(said, "digests OK") {
			t.Errorf("rpm -K: %s", said)
		}
	}
	in := strings.Fields(output(t, "rpm", "-qpl", packagedRPM(t, "notices")))
	listed := map[string]bool{}
	for _, path := range in {
		listed[path] = true
	}
	// Cron is for machines without systemd, and these have it; the rest is Debian's.
	debian := regexp.MustCompile(`^/etc/cron\.d/|/changelog\.Debian\.gz$|^/usr/share/lintian/`)
	for line := range strings.Lines(output(t, "dpkg-deb", "--contents", packaged(t, "notices"))) {
		mode, path := line[:1], "/"+strings.TrimSpace(between(line, " ./", " -> "))
		if mode == "-" && !debian.MatchString(path) && !listed[path] {
			t.Errorf("the rpm lacks %s", path)
		}
	}
	for _, path := range []string{"/usr/bin/notices", "/usr/libexec/notices/notices", "/etc/notices", "/usr/share/man/man1/notices.1.gz"} {
		if !listed[path] {
			t.Errorf("the rpm lacks %s", path)
		}
	}
}
