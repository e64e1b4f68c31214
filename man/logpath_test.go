package man

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestOneLogPath: the pages, logrotate and the units all name the same log file.
func TestOneLogPath(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../README.md", "*.[1-8]", "../config/template.toml", "../scripts/*", "../scripts/packaging/*", "../scripts/packaging/*/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		for _, path := range regexp.MustCompile(`/var/log/notices[\w./*-]*`).FindAllString(string(text), -1) {
			path = regexp.MustCompile(`[.]+$`).ReplaceAllString(path, "")
			if !slices.Contains([]string{"/var/log/notices", "/var/log/notices/notices.log", "/var/log/notices/*.log"}, path) {
				t.Errorf("%s names %s", file, path)
			}
			named++
		}
	}
	if named < 8 {
		t.Errorf("a log was found %d times only", named)
	}
}
