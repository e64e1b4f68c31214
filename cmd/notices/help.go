package main

import (
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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
		option.Value, option.NoOptDefVal = shownValue{o.Value}, ""
		shown.AddFlag(&option)
	})
	return shown.FlagUsages()
}

// shownValue hides from pflag that a value is a switch, behind which it shows [=true|false].
type shownValue struct{ pflag.Value }
