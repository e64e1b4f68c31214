package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzLoad reads anything at all. It must not panic, hang or take much memory; what
// it accepts must hold, and what it says must be of use.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.toml", "testdata/good/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(err, pattern)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(Template())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxFile {
			return
		}
		before := bytes.Clone(data)
		c, err := parse("notices.toml", data, 0o600, Intake)
		if !bytes.Equal(before, data) {
			t.Fatal("the file's content was changed")
		}
		if err != nil {
			checkError(t, data, err.(*Error))
			return
		}
		for _, e := range c.Problems {
			checkError(t, data, e)
			if e.Key == "" || e.Line == 0 && !strings.HasPrefix(e.Msg, "has no server") && e.Key != "[spool] dir" {
				t.Errorf("a problem of no place: %v", e)
			}
		}
		checkConfig(t, c)
	})
}

// checkError wants one printable line that points into the file.
func checkError(t *testing.T, data []byte, e *Error) {
	if e.File != "notices.toml" || e.Msg == "" || hasControl(e.Error()) {
		t.Errorf("%q", e.Error())
	}
	if e.Line < 0 || e.Line > 1+bytes.Count(data, []byte{'\n'}) {
		t.Errorf("no such line: %v", e)
	}
}

// checkConfig wants every value within what is allowed, whatever the problems.
func checkConfig(t *testing.T, c *Config) {
	texts := []string{c.Site.Name, c.Site.Address, c.Site.Hostname, c.Spool.Dir, c.Log.To}
	for i, s := range c.Servers {
		texts = append(texts, s.Host, s.Login, s.CAFile)
		if src := s.Password.src; src != nil {
			texts = append(texts, src.text)
		}
		counts := []int{s.Port, s.Connections, s.MessagesPerConnection, s.RecipientsPerMessage, int(s.Timeout / time.Second), int(s.DataTimeout / time.Second)}
		if slices.Min(counts) < 1 || s.Port > 65535 || s.RatePerDay < 0 || s.RatePerMinute < 0 {
			t.Errorf("%+v", s)
		}
		if s.TLS != Implicit && s.TLS != StartTLS || !slices.Contains([]string{AuthPassword, AuthGoogle, AuthMicrosoft}, s.Auth) || s.Name != fmt.Sprint(i+1) {
			t.Errorf("%+v", s)
		}
	}
	for _, a := range []*Account{&c.Google, &c.Microsoft} {
		texts = append(texts, a.ClientID, a.Account, a.SMTPHost, a.CAFile, a.Tenant)
		for _, u := range []string{a.AuthURL, a.DeviceURL, a.TokenURL, a.UserinfoURL, a.RevokeURL} {
			if u != "" && !validEndpoint(u) {
				t.Errorf("endpoint %q", u)
			}
		}
		if a.SMTPHost == "" || a.SMTPPort < 1 || a.SMTPPort > 65535 {
			t.Errorf("%+v", a)
		}
	}
	if i := slices.IndexFunc(texts, hasControl); i >= 0 {
		t.Errorf("a control character in %q", texts[i])
	}
	r := c.Retry
	for _, d := range [][2]int64{{int64(r.ShortDelay[0]), int64(r.ShortDelay[1])}, {int64(r.LongDelay[0]), int64(r.LongDelay[1])}} {
		if d[0] < 0 || d[0] > d[1] || d[1] == 0 {
			t.Errorf("%+v", r)
		}
	}
	if min(r.ShortRange, r.GiveUp, r.WarnAfter, c.Spool.KeepFailed, c.Spool.KeepHistory) < 0 || c.Spool.MaxMessageSize < 1 {
		t.Errorf("%+v %+v", r, c.Spool)
	}
}

// FuzzSyntaxErrorsHideSecrets writes a password into a config in every wrong way
// that the fuzzer finds.
func FuzzSyntaxErrorsHideSecrets(f *testing.F) {
	f.Add("password = ", "")
	f.Add("password = \"", "")
	f.Add("password = [", "]")
	f.Add("password = '''", "''")
	f.Add("password = {a = ", "")
	f.Add("password = 1e", "")
	f.Add("password = \"\\u", "")
	f.Add("password = 0x", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "7331733173317331"
		if strings.Contains(before, "7331") || strings.Contains(after, "7331") {
			return
		}
		if key, _, ok := strings.Cut(before, "="); !ok || strings.TrimSpace(key) != "password" {
			return // anywhere else it is no secret
		}
		c, err := parse("notices.toml", []byte(oneServer+before+secret+after), 0o600, Everything)
		said := fmt.Sprint(err)
		if err == nil {
			said = fmt.Sprintf("%v %+v", c.Problems, c)
		}
		if strings.Contains(said, "7331") {
			t.Errorf("shown: %s", said)
		}
	})
}
