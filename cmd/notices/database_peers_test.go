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
		if err := nameDatabase(env, server); err != nil {
			return err
		}
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

// TestBufferScripts tells stories of a database that is away, and of the folder that takes mail in
// meanwhile, by the full program and by both programs as they are installed. Each has a server of
// its own, and
//
//	database stop|start
func TestBufferScripts(t *testing.T) {
	for what, p := range map[string]testscript.Params{"full": scriptParams(), "both": smallParams(t, bothPrograms(t))} {
		p.Dir, p.Files = filepath.Join("testdata", "buffer"), nil
		before := p.Setup
		p.Setup = func(env *testscript.Env) error {
			server, err := cluster.Start("")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = server.Stop() }) // a story may have stopped it
			env.Values[serverKey{}] = server
			if err = nameDatabase(env, server); err != nil {
				return err
			}
			return before(env)
		}
		p.Cmds["database"] = func(ts *testscript.TestScript, _ bool, args []string) {
			server := ts.Value(serverKey{}).(*cluster.Server)
			if args[0] == "stop" {
				ts.Check(server.Halt())
			} else {
				ts.Check(server.Again())
			}
		}
		t.Run(what, func(t *testing.T) { testscript.Run(t, p) })
	}
}

type serverKey struct{}

// nameDatabase makes a database and says where it is.
func nameDatabase(env *testscript.Env, server *cluster.Server) error {
	name, err := server.NewDatabase()
	env.Setenv("DATABASE", name)
	env.Setenv("URL", server.URL(name))
	env.Setenv("SERVER", strings.TrimSuffix(server.URL(""), "/"))
	return err
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
