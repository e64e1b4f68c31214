package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/bounce"
)

// TestManPages holds the options and the man pages against each other, in both
// directions. A page that is missing is a failure.
func TestManPages(t *testing.T) {
	root := newCLI().root()
	t.Run("notices", func(t *testing.T) {
		root.InitDefaultVersionFlag()
		comparePage(t, "notices.1", optionsOf(root.Flags()))
	})
	for _, cmd := range root.Commands() {
		if cmd.Name() == "sendmail" || cmd.Name() == "help" {
			continue // TestSendmailPage; help is in notices(1)
		}
		t.Run(cmd.Name(), func(t *testing.T) {
			comparePage(t, "notices-"+cmd.Name()+"."+manSection(cmd.Name()), optionsOf(cmd.LocalNonPersistentFlags()))
		})
	}
}

// TestSendmailPage: its options are read as getopt does; the page has each of them,
// and explains none that is refused.
func TestSendmailPage(t *testing.T) {
	page := readPage(t, "notices-sendmail.1")
	words := strings.Fields(strings.ReplaceAll(page, "\n", " "))
	for _, c := range strings.ReplaceAll(app.SendmailOptions, ":", "") {
		if !slices.ContainsFunc(words, func(w string) bool { return w == string(c) || c == 'b' && w == "bs" }) {
			t.Errorf("man/notices-sendmail.1 does not tell of -%c", c)
		}
	}
	told := optionsIn(page)
	for _, o := range told {
		value := map[string]string{"-N": "never", "-R": "hdrs"}[o]
		if _, err := new(app.Program).Sendmail([]string{o, value}); err != nil {
			t.Errorf("man/notices-sendmail.1 tells of %s: %v", o, err)
		}
	}
	if len(told) < 15 {
		t.Errorf("the page explains only %v", told)
	}
}

// TestCommandsInMainPage: a reader of notices(1) finds every command.
func TestCommandsInMainPage(t *testing.T) {
	page := readPage(t, "notices.1")
	for _, cmd := range newCLI().root().Commands() {
		if name := cmd.Name(); name != "help" && !strings.Contains(page, "\n.It Xr notices-"+name+" "+manSection(name)+"\n") {
			t.Errorf("man/notices.1 does not list notices-%s", name)
		}
	}
}

// manSection is the part of the manual that has a command's page: 8 is for daemons.
func manSection(command string) string {
	if command == "serve" {
		return "8"
	}
	return "1"
}

func comparePage(t *testing.T, page string, have []string) {
	t.Helper()
	told := optionsIn(readPage(t, page))
	for _, o := range have {
		if !slices.Contains(told, o) {
			t.Errorf("man/%s does not tell of %s (.It Fl ...)", page, o)
		}
	}
	for _, o := range told {
		if !slices.Contains(have, o) {
			t.Errorf("man/%s tells of %s, which there is not", page, o)
		}
	}
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "man", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// optionsOf lists options as they are typed; --help explains itself.
func optionsOf(flags *pflag.FlagSet) []string {
	var have []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		have = append(have, "--"+f.Name)
		if f.Shorthand != "" {
			have = append(have, "-"+f.Shorthand)
		}
	})
	return have
}

// optionsIn finds the options that a page explains: `.It Fl f , Fl Fl sender Ar
// SENDER`, or `Fl -sender`.
func optionsIn(page string) []string {
	var told []string
	for line := range strings.Lines(page) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != ".It" || words[1] != "Fl" {
			continue
		}
		for i := 1; i < len(words)-1; i++ {
			switch {
			case words[i] != "Fl":
			case words[i+1] == "Fl" && i+2 < len(words):
				told = append(told, "--"+words[i+2])
				i += 2
			default:
				told = append(told, "-"+words[i+1])
				i++
			}
		}
	}
	return told
}

// TestDeadAddresses: notices-recipes(7) takes for dead the addresses with just those statuses
// whose reason says that the address or its mailbox does not exist.
func TestDeadAddresses(t *testing.T) {
	_, text, found := strings.Cut(readPage(t, "notices-recipes.7"), "select(.status | IN(")
	list, _, closed := strings.Cut(text, "))")
	if !found || !closed {
		t.Fatal("the recipe has no list of statuses")
	}
	named := regexp.MustCompile(`[0-9]\.[0-9]\.[0-9]+`).FindAllString(list, -1)
	dead := []string{"There is no mailbox", "The part of the address after the @", "The mailbox is closed", "This is not a valid e-mail address"}
	for subject := 1; subject <= 7; subject++ {
		for detail := range 40 {
			status := fmt.Sprintf("5.%d.%d", subject, detail)
			e := spool.HistoryEntry{Ending: spool.EndedBounced, Last: spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Enhanced: status}}}
			is, reason := bounce.Explain(&e)
			says := is == status && slices.ContainsFunc(dead, func(begin string) bool { return strings.HasPrefix(reason, begin) })
			if says != slices.Contains(named, status) {
				t.Errorf("%s: %q, and the recipe has it: %v", status, reason, !says)
			}
		}
	}
}
