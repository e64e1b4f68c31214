//go:build peers

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/spool/postgres/cluster"
)

// TestScriptsOnDatabase tells the stories of TestScripts once more, with a database in place of
// the folder: each config gets one. Stories that look into the folder itself stop there.
func TestScriptsOnDatabase(t *testing.T) {
	server := startDatabases(t)
	t.Run("stories", func(t *testing.T) { testscript.Run(t, onDatabase(server, scriptParams())) })
}

// TestSmallProgramOnDatabase: the small program leaves a database to the full one.
func TestSmallProgramOnDatabase(t *testing.T) {
	server, bin := startDatabases(t), bothPrograms(t)
	t.Run("stories", func(t *testing.T) { testscript.Run(t, onDatabase(server, smallParams(t, bin))) })
}

// TestDatabaseScripts tells stories of what only a database can do. Besides what the others can
// do, they run
//
//	sql STATEMENTS    in their database; $DATABASE is its name, $URL its address, $SERVER the server's
func TestDatabaseScripts(t *testing.T) {
	server, p := startDatabases(t), scriptParams()
	p.Dir = filepath.Join("testdata", "database")
	p.Setup = func(env *testscript.Env) error {
		name, err := server.NewDatabase()
		if err != nil {
			return err
		}
		env.Setenv("DATABASE", name)
		env.Setenv("URL", server.URL(name))
		env.Setenv("SERVER", strings.TrimSuffix(server.URL(""), "/"))
		return setUp(env)
	}
	p.Cmds["sql"] = func(ts *testscript.TestScript, _ bool, args []string) {
		text := strings.ReplaceAll(strings.Join(args, " "), "$DATABASE", ts.Getenv("DATABASE"))
		out, err := server.SQL(ts.Getenv("DATABASE"), text)
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), out)
	}
	t.Run("stories", func(t *testing.T) { testscript.Run(t, p) })
}

// startDatabases starts a server, which ends after the stories.
func startDatabases(t *testing.T) *cluster.Server {
	t.Helper()
	server, err := cluster.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func onDatabase(server *cluster.Server, p testscript.Params) testscript.Params {
	before := p.Setup
	p.Setup = func(env *testscript.Env) error {
		err := before(env)
		if err == nil {
			err = useDatabases(env.WorkDir, server)
		}
		return err
	}
	p.Condition = func(string) (bool, error) { return false, nil } // folder
	return p
}

// useDatabases sets a database in the configs of a story: one for each folder that they name.
func useDatabases(dir string, server *cluster.Server) error {
	configs, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	names := map[string]string{}
	for _, path := range configs {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rest, folder := withoutFolder(string(text))
		if names[folder] == "" {
			if names[folder], err = server.NewDatabase(); err != nil {
				return err
			}
		}
		key := "[spool]\ndatabase = \"" + server.URL(names[folder]) + "\"\n"
		if strings.Contains(rest, "[spool]\n") {
			rest = strings.Replace(rest, "[spool]\n", key, 1)
		} else {
			rest += "\n" + key
		}
		if err := os.WriteFile(path, []byte(rest), 0o600); err != nil {
			return err
		}
	}
	return err
}

// withoutFolder takes the line of dir out of [spool].
func withoutFolder(config string) (rest, folder string) {
	section := ""
	for line := range strings.Lines(config) {
		if strings.HasPrefix(line, "[") {
			section = strings.TrimSpace(line)
		}
		if section == "[spool]" && strings.HasPrefix(line, "dir") {
			folder = line
			continue
		}
		rest += line
	}
	return rest, folder
}
