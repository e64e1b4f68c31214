package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"notices/cmd/internal/app"
	"notices/config"
)

// addCommands adds all commands, in the order in which a site meets them.
func (a *cli) addCommands(root *cobra.Command) {
	add := func(title string, commands ...*cobra.Command) {
		if !root.ContainsGroup(title) {
			root.AddGroup(&cobra.Group{ID: title, Title: title})
		}
		for _, cmd := range commands {
			cmd.GroupID, cmd.Example, cmd.DisableFlagsInUseLine = title, example(cmd.Name()), true
			root.AddCommand(cmd)
		}
	}
	add("Set up:", initCommand(a), checkCommand(a), testServerCommand(a),
		loginCommand(a, config.AuthGoogle, "Google"), logoutCommand(a, config.AuthGoogle, "Google"),
		loginCommand(a, config.AuthMicrosoft, "Microsoft"), logoutCommand(a, config.AuthMicrosoft, "Microsoft"),
		dkimKeyCommand(a))
	add("Queue and send:", enqueueCommand(a), importCommand(a), sendmailCommand(a), flushCommand(a))
	add("See what became of it:", statusCommand(a), listCommand(a), showCommand(a), historyCommand(a), reportCommand(a), readBouncesCommand(a))
	add("Work on the queue by hand:", byHand(a)...)
	add("Host other sites:", serveCommand(a), serviceKeyCommand(a))
	add("More:", versionCommand(a), completionCommand(a))
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Use, help.Short, help.Long, help.Run, help.RunE = "help [COMMAND]", "Explain a command", "", nil, explain
	add("More:", help)
}

// example is a command as it is really typed, with a word on what it does.
func example(name string) string {
	return map[string]string{
		"init":             "sudo notices init\nsudo notices init --from /etc/nullmailer    take over what nullmailer was told",
		"check":            "notices check",
		"test-server":      "notices test-server\nnotices test-server 2 --to me@example.org    Server 2 alone, with a message to me",
		"google-login":     "sudo -u notices notices google-login --no-browser",
		"google-logout":    "sudo -u notices notices google-logout",
		"microsoft-login":  "sudo -u notices notices microsoft-login --device",
		"microsoft-logout": "sudo -u notices notices microsoft-logout",
		"dkim-key":         "sudo notices dkim-key\nsudo notices dkim-key --type ed25519",
		"enqueue":          "notices enqueue < overdue.eml\nnotices enqueue --ref patron-20041 ann@example.net < overdue.eml",
		"import":           "notices import --dry-run notices.mbox    show what is in it\nnotices import notices.mbox\nnotices import /var/spool/old-notices      move the queue of another spool here",
		"sendmail":         "notices sendmail -t -i < overdue.eml",
		"flush":            "notices flush --splay 40s    for cron\nnotices flush -v --all    now, and say what becomes of each message",
		"status":           "notices status\nnotices status --check    for Nagios and its like",
		"list":             "notices list\nnotices list --state deferred,failed --to example.net",
		"read-bounces":     "notices read-bounces    the mailbox of [bounces]\nnotices read-bounces bounces.mbox",
		"show":             "notices show 1K10G6S99G1S5Z7T",
		"history":          "notices history --to ann@example.net    did she get her notice?\nnotices history --since 7d --outcome returned,bounced,failed    what came back, and why",
		"report":           "notices report\nnotices report --since 30d --html notices.html    a page for a browser\nnotices report --mail director@example.org    the last week, for cron",
		"retry":            "notices retry 1K10G6S99G1S5Z7T && notices flush\nnotices retry --all",
		"hold":             "notices hold 1K10G6S99G1S5Z7T",
		"release":          "notices release --all",
		"remove":           "notices remove 1K10G6S99G1S5Z7T",
		"return":           "notices return 1K10G6S99G1S5Z7T",
		"serve":            "notices serve\nsystemctl enable --now notices-serve.socket notices-serve.service    for good",
		"service-key":      "notices service-key add springfield --name \"Springfield Library\" --address library@example.org\nnotices service-key list\nnotices service-key rotate springfield",
		"version":          "notices version",
		"completion":       "notices completion bash > /etc/bash_completion.d/notices",
		"help":             "notices help flush",
	}[name]
}

// explain prints the help of a command.
func explain(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && slices.Contains(otherPages(), strings.TrimPrefix(args[0], "notices-")) {
		page := "notices-" + strings.TrimPrefix(args[0], "notices-")
		if args[0] == "notices.toml" {
			page = args[0]
		}
		fmt.Fprintf(cmd.Root().OutOrStdout(), "That is a page of the manual: man %s\n", page)
		return nil
	}
	found, rest, err := cmd.Root().Find(args)
	if err != nil || found == cmd.Root() && len(rest) > 0 {
		return unknownCommand(cmd.Root(), args[0])
	}
	return found.Help()
}

// otherPages are the pages of the manual that are about no command, without the "notices-" before
// the name.
func otherPages() []string {
	return []string{"changes", "google", "install", "log", "recipes", "service", "spool", "notices.toml"}
}

// nameDefaults gives the options that cobra adds itself words of ours.
func nameDefaults(root *cobra.Command) {
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Usage = "print the version"
	for _, cmd := range append(root.Commands(), root) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().Lookup("help").Usage = "explain this command"
	}
}

// noArgs refuses arguments in words of ours.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s: unexpected argument %q", cmd.Name(), args[0])
}

// unknownCommand is the error for a command that does not exist.
func unknownCommand(root *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q", name)
	if near := root.SuggestionsFor(name); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(text)
}

func versionCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of notices and of Go",
		Args:  noArgs,
		RunE:  a.runE(func(context.Context, []string) error { return a.PrintBare(app.VersionText() + "\n") }),
	}
}

// setHelp gives all commands a help page of our own: cobra's names no example first.
func setHelp(root *cobra.Command) {
	cobraSettings()
	root.SetHelpTemplate(helpPage)
	root.SetUsageTemplate(helpPage)
}

// cobraSettings are cobra's own variables, which tests that run at once share.
var cobraSettings = sync.OnceFunc(func() {
	cobra.EnableCommandSorting = false // addCommands has the order
	cobra.AddTemplateFunc("optionTable", optionTable)
	cobra.AddTemplateFunc("indented", func(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") })
})

const helpPage = `{{with or .Long .Short}}{{.}}

{{end}}Usage:
  {{if .HasParent}}{{.UseLine}}{{else}}notices COMMAND [OPTION...]{{end}}
{{with .Example}}
Example:
{{indented .}}
{{end}}{{$all := .Commands}}{{range $group := .Groups}}
{{.Title}}
{{range $all}}{{if eq .GroupID $group.ID}}  {{rpad .Name .NamePadding}} {{.Short}}
{{end}}{{end}}{{end}}{{with optionTable .LocalNonPersistentFlags}}
Options:
{{.}}{{end}}
Options of every command:
{{optionTable .Root.PersistentFlags}}
Manual: man notices{{if and .HasParent (ne .Name "help")}}-{{.Name}}{{end}}
`

// optionTable lists options, one a line.
func optionTable(f *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.VisitAll(func(o *pflag.Flag) {
		option := *o
		option.Value, option.NoOptDefVal, option.DefValue = shownValue{o.Value}, "", strings.TrimPrefix(o.DefValue, "[]")
		shown.AddFlag(&option)
	})
	return shown.FlagUsages()
}

// shownValue hides from pflag that a value is a switch, behind which it shows [=true|false].
type shownValue struct{ pflag.Value }
