//go:build peers

package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/spool/postgres/cluster"
)

// TestScriptsOnDatabase tells the stories of TestScripts once more, with a database in place of
// the folder: each config gets one. Stories of the folder itself are counted and named.
func TestScriptsOnDatabase(t *testing.T) {
	server := startDatabases(t)
	t.Run("stories", func(t *testing.T) { testscript.Run(t, onDatabase(t, server, scriptParams())) })
}

// TestSmallProgramOnDatabase: the small program leaves a database to the full one.
func TestSmallProgramOnDatabase(t *testing.T) {
	server, bin := startDatabases(t), bothPrograms(t)
	t.Run("stories", func(t *testing.T) { testscript.Run(t, onDatabase(t, server, smallParams(t, bin))) })
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
// meanwhile: of the full program, and of both programs as they are installed. Each has a server of
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

func onDatabase(t *testing.T, server *cluster.Server, p testscript.Params) testscript.Params {
	t.Helper()
	p.Files, p.Dir = told(t, p), ""
	before := p.Setup
	p.Setup = func(env *testscript.Env) error {
		err := before(env)
		if err == nil {
			env.Values[databasesKey{}], err = useDatabases(env.WorkDir, server)
		}
		return err
	}
	p.Condition = func(string) (bool, error) { return false, nil } // folder
	inEach := func(ts *testscript.TestScript, statements string) (said string) {
		for _, name := range ts.Value(databasesKey{}).([]string) {
			out, err := server.SQL(name, `select to_regclass('notices.history') is not null`)
			if err == nil && out == "t" {
				out, err = server.SQL(name, statements)
				said += out + "\n"
			}
			ts.Check(err)
		}
		return said
	}
	p.Cmds["emptied"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		inEach(ts, `truncate notices.message, notices.content, notices.chunk, notices.draft, notices.import_key, notices.value, notices.history, notices.host`)
	}
	p.Cmds["claimsend"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		inEach(ts, `update notices.session set expires = now()`)
	}
	p.Cmds["bodies"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		text, err := hex.DecodeString(strings.ReplaceAll(inEach(ts, `select encode(head, 'hex') from notices.content join notices.message using (id) where state in ('q', 'h') order by id`), "\n", ""))
		ts.Check(err)
		_, err = ts.Stdout().Write(text)
		ts.Check(err)
	}
	p.Cmds["stored"] = func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(inEach(ts, allSQL)), 0o600))
	}
	return p
}

type databasesKey struct{}

// allSQL shows all columns with texts.
const allSQL = `select id, encode(envelope, 'escape'), encode(head, 'escape') from notices.content; select m.id, encode(l, 'escape') from notices.message m, unnest(m.log) as l;
	select encode(data, 'escape') from notices.chunk; select name, encode(data, 'escape') from notices.value; select id, search from notices.message;
	select h.*, encode(entry, 'escape') from notices.history h; select * from notices.host; select * from notices.session; select * from notices.lock`

// told returns the stories of the params that are told of a database, too, and logs the others.
func told(t *testing.T, p testscript.Params) (files []string) {
	t.Helper()
	all := p.Files
	if p.Dir != "" {
		var err error
		if all, err = filepath.Glob(filepath.Join(p.Dir, "*.txtar")); err != nil || len(all) == 0 {
			t.Fatalf("no stories in %s (%v)", p.Dir, err)
		}
	}
	var rest strings.Builder
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if why, only := strings.CutPrefix(first, "# Folder only: "); only {
			fmt.Fprintf(&rest, "\n%s: %s", filepath.Base(name), why)
		} else {
			files = append(files, name)
		}
	}
	t.Logf("%d stories are told of a database, and %d are of the folder only:%s", len(files), len(all)-len(files), &rest)
	return files
}

// useDatabases sets a database in the configs of a story: one for each folder that they name.
func useDatabases(dir string, server *cluster.Server) (made []string, err error) {
	configs, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	names := map[string]string{}
	for _, path := range configs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		rest, folder := withoutFolder(string(text))
		if names[folder] == "" {
			if names[folder], err = server.NewDatabase(); err != nil {
				return nil, err
			}
			made = append(made, names[folder])
		}
		key := "[spool]\ndatabase = \"" + server.URL(names[folder]) + "\"\n"
		if strings.Contains(rest, "[spool]\n") {
			rest = strings.Replace(rest, "[spool]\n", key, 1)
		} else {
			rest += "\n" + key
		}
		if err := os.WriteFile(path, []byte(rest), 0o600); err != nil {
			return nil, err
		}
	}
	return made, err
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
