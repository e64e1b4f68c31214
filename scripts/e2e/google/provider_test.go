//go:build peers

package google

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"notices/scripts/e2e/servers"
)

// provider is a running oidc-provider.
type provider struct {
	port   int
	output string
}

// Clients that provider.mjs knows.
const (
	desktopApp    = "desktop-app"
	desktopSecret = "GOCSPX-of-the-tests"
	publicApp     = "public-app"
)

func startProvider() (*provider, error) {
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	p := &provider{port: port, output: file("provider.out")}
	script, err := os.Open("provider/provider.mjs")
	if err != nil {
		return nil, err
	}
	defer script.Close()
	// From standard input, its imports are looked for in the folder it runs in: where
	// scripts/install-test-deps had npm install them.
	cmd := exec.Command("node", "--input-type=module", "-")
	cmd.Dir = filepath.Join(root, ".cache/provider")
	cmd.Stdin = script
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", p.port), "KEY="+file("key.pem"), "CERT="+file("cert.pem"))
	if err := start(cmd, p.output); err != nil {
		return nil, err
	}
	if !servers.Within(func() bool { return p.count("ready") == 1 }) {
		return nil, fmt.Errorf("the provider does not start:\n%s", p.log())
	}
	return p, nil
}

func (p *provider) url(path string) string {
	return fmt.Sprintf("https://127.0.0.1:%d%s", p.port, path)
}

func (p *provider) log() string {
	text, _ := os.ReadFile(p.output)
	return string(text)
}

// count is how often it has printed a line that begins so.
func (p *provider) count(event string) int {
	n := 0
	for line := range strings.Lines(p.log()) {
		if strings.HasPrefix(line, event) {
			n++
		}
	}
	return n
}
