package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestSmallProgram runs the stories of what the small program does by itself with both
// programs as they are installed: a user cannot tell which of them it was.
func TestSmallProgram(t *testing.T) {
	testscript.Run(t, smallParams(t, bothPrograms(t)))
}

// bothPrograms builds them into a folder, as they are installed.
func bothPrograms(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	build := func(pkg, file string) {
		t.Helper()
		// No config of this machine is to be found.
		system := "-X notices/config.SystemFile=" + filepath.Join(bin, "etc", "notices.toml")
		if out, err := exec.Command("go", "build", "-ldflags", system, "-o", filepath.Join(bin, file), pkg).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
	build("notices/cmd/notices-queue", "notices")
	build("notices/cmd/notices", "notices-full")
	for _, name := range []string{"sendmail", "mailq", "newaliases"} {
		if err := os.Symlink("notices", filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// smallParams are the stories for the programs in a folder.
func smallParams(t *testing.T, bin string) testscript.Params {
	t.Helper()
	p := scriptParams()
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
		return setUp(env)
	}
	p.Dir = ""
	for _, name := range []string{"enqueue", "sendmail", "mailq"} {
		files, err := filepath.Glob(filepath.Join("testdata", "script", name+"*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no stories of %s (%v)", name, err)
		}
		p.Files = append(p.Files, files...)
	}
	return p
}
