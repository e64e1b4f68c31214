//go:build peers

package google

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
)

// withMailbox is a site whose late returns come to the mailbox of an account.
func withMailbox(t *testing.T, account string) *site {
	t.Helper()
	s := newSite(t)
	text := read(s.path("notices.toml")) + fmt.Sprintf("\n[bounces]\nimap = \"127.0.0.1:%d\"\nauth = %q\nca_file = %q\n", peer.imap, account, file("ca.pem"))
	check(t, os.WriteFile(s.path("notices.toml"), []byte(text), 0o600))
	return s
}

// TestMailbox: the sign-in that mail is sent with opens the mailbox of late returns, too. A
// token that the server refuses is refreshed once.
func TestMailbox(t *testing.T) {
	s := withMailbox(t, "google")
	if r := s.run("", "read-bounces"); r.code != 78 || !strings.Contains(r.stderr, "run: notices google-login") {
		t.Errorf("nobody signed in: %v", r)
	}
	s.signIn()
	const nothing = "0 messages read: 0 bounces of ours (0 new), 0 other messages, 0 bounces of mail that is not ours\n"
	if out := s.must("", "-v", "read-bounces"); out != nothing {
		t.Errorf("%s", out)
	}
	post(t, op.url("/forget"), url.Values{"token": {s.token("access_token")}})
	grants := op.count("grant refresh_token")
	if out := s.must("", "-v", "read-bounces"); out != nothing {
		t.Errorf("%s", out)
	}
	if n := op.count("grant refresh_token") - grants; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if out := s.must("", "status", "--json"); !strings.Contains(out, `"error":null,"read":0,"bounced":0}`) {
		t.Errorf("status: %s", out)
	}
}

// TestMailboxOfMicrosoft: a sign-in from before [bounces] cannot read mail, and its error says
// what to run.
func TestMailboxOfMicrosoft(t *testing.T) {
	s := newSite(t)
	s.signInWithMicrosoft()
	text := read(s.path("notices.toml")) + fmt.Sprintf("\n[bounces]\nimap = \"127.0.0.1:%d\"\nauth = \"microsoft\"\nca_file = %q\n", peer.imap, file("ca.pem"))
	check(t, os.WriteFile(s.path("notices.toml"), []byte(text), 0o600))
	if r := s.run("", "read-bounces"); r.code != 78 || !strings.Contains(r.stderr, "does not cover reading mail (IMAP); sign in once more; run: notices microsoft-login") {
		t.Errorf("%v", r)
	}
}
