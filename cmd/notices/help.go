package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// setHelp gives all commands a help page of our own: pflag's table of options shows
// "[=true|false]" behind every switch, and cobra's page names no example first.
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
	var names, texts []string
	width := 0
	f.VisitAll(func(o *pflag.Flag) {
		if o.Hidden {
			return
		}
		name := "    --" + o.Name
		if o.Shorthand != "" {
			name = "-" + o.Shorthand + ", --" + o.Name
		}
		value, text := pflag.UnquoteUsage(o)
		switch {
		case o.Value.Type() == "bool":
		case o.NoOptDefVal != "":
			name += "[=" + value + "]"
		case value != "":
			name += " " + value
		}
		if d := o.DefValue; o.Value.Type() == "DURATION" && d != "0" {
			text += fmt.Sprintf(" (default %s)", d)
		}
		names, texts, width = append(names, name), append(texts, text), max(width, len(name))
	})
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "  %-*s   %s\n", width, name, texts[i])
	}
	return b.String()
}
