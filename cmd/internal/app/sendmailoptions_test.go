package app

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"notices/spool"
)

func pointer(s string) *string { return &s }

// TestCallers: what real programs give sendmail, recorded on Debian 12.
func TestCallers(t *testing.T) {
	for line, want := range map[string]Sendmail{
		// cron, at
		"-FCronDaemon -i -B8BITMIME -oem ops@example.org": {FullName: "CronDaemon", IgnoreDot: true, Recipients: []string{"ops@example.org"}},
		"-i root": {IgnoreDot: true, Recipients: []string{"root"}},
		// PHP mail(), without and with its fifth argument
		"-t -i":                      {FromHeader: true, IgnoreDot: true},
		"-t -i -fbounce@example.org": {FromHeader: true, IgnoreDot: true, Sender: pointer("bounce@example.org")},
		// git send-email
		"-f a@example.org -i to@example.org": {Sender: pointer("a@example.org"), IgnoreDot: true, Recipients: []string{"to@example.org"}},
		// mutt
		"-oem -oi -f me@example.org -N failure,delay -R hdrs -- to@example.org bcc@example.org": {
			IgnoreDot: true, Sender: pointer("me@example.org"), DSN: spool.DSNParams{Notify: "failure,delay", ReturnHeaders: true}, Recipients: []string{"to@example.org", "bcc@example.org"},
		},
		// bsd-mailx, s-nail
		"-i -t -f me@example.org":                    {FromHeader: true, IgnoreDot: true, Sender: pointer("me@example.org")},
		"-i -f me@example.org -- to@example.org b@c": {IgnoreDot: true, Sender: pointer("me@example.org"), Recipients: []string{"to@example.org", "b@c"}},
		// MIME::Lite, Email::Sender
		"-t -oi -oem -fx@example.org":             {FromHeader: true, IgnoreDot: true, Sender: pointer("x@example.org")},
		"-i -f e@example.org -- -weird@e.org a@b": {IgnoreDot: true, Sender: pointer("e@example.org"), Recipients: []string{"-weird@e.org", "a@b"}},
		// fail2ban, unattended-upgrades, scripts
		"-f root to@example.org":       {Sender: pointer("root"), Recipients: []string{"to@example.org"}},
		"-oi -t":                       {FromHeader: true, IgnoreDot: true},
		"-N NEVER -R full -V id-7 a@b": {DSN: spool.DSNParams{Notify: "never", ReturnFull: true, EnvelopeID: "id-7"}, Recipients: []string{"a@b"}},
		"-ti":                          {FromHeader: true, IgnoreDot: true},
		"-tif x@y.z":                   {FromHeader: true, IgnoreDot: true, Sender: pointer("x@y.z")},
		"-r x@y.z a@b":                 {Sender: pointer("x@y.z"), Recipients: []string{"a@b"}},
		"-vt":                          {FromHeader: true, Verbose: true},
		// What has no meaning here
		"-A m -C /etc/mail/x.cf -G -L tag -O DeliveryMode=b -o8 -odb -oeq -om -U -X /dev/null -c -ep -h 5 -m -n -p smtp:x -x -XV a@b": {
			Recipients: []string{"a@b"},
		},
		// Modes
		"-bm a@b":        {Recipients: []string{"a@b"}},
		"-bp":            {Mode: SendmailList},
		"-bs":            {Mode: SendmailSMTP},
		"-bi":            {Mode: SendmailAliases},
		"-I":             {Mode: SendmailAliases},
		"-q":             {Mode: SendmailFlush},
		"-q -v":          {Mode: SendmailFlush, Verbose: true},
		"-q30m":          {Mode: SendmailFlush, Which: "30m"},
		"-q1h30m":        {Mode: SendmailFlush, Which: "1h30m"},
		"-qIK109DBCXG0E": {Mode: SendmailFlush, Which: "IK109DBCXG0E"},
		// The end of the options
		"a@b -t":   {Recipients: []string{"a@b", "-t"}},
		"-- -t":    {Recipients: []string{"-t"}},
		"-t -":     {FromHeader: true, Recipients: []string{"-"}},
		"-i -- --": {IgnoreDot: true, Recipients: []string{"--"}},
	} {
		got, err := parseSendmail(strings.Fields(line))
		if err != nil {
			t.Errorf("sendmail %s: %v", line, err)
			continue
		}
		if len(got.Recipients) == 0 {
			got.Recipients = nil
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("sendmail %s: %+v, want %+v", line, *got, want)
		}
	}
}

// TestSendmailMistakes end with 64 and say which option it is.
func TestSendmailMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"-t -Z":              "-Z",
		"-: a@b":             "-:",
		"-t -f":              "-f needs a value",
		"-bd":                "no daemon",
		"-bd -q30m":          "no daemon",
		"-bD":                "no daemon",
		"-bl":                "no daemon",
		"-bv a@b":            "-bv",
		"-bz":                "-bz",
		"-N always":          "-N always",
		"-N never,delay a@b": "-N never,delay",
		"-R half":            "-R half",
		"-V bü":              "-V",
		"-q!Rexample.net":    "-q!Rexample.net",
		"-q30q":              "-q30q",
		"--sender a@b":       "--",
	} {
		_, err := parseSendmail(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != ExitUsage {
			t.Errorf("sendmail %s: %v (%d)", line, err, ExitCode(err))
		}
	}
}

// An empty value is a value: that of -f is the null sender.
func TestSendmailNullSender(t *testing.T) {
	s, err := parseSendmail([]string{"-f", "", "a@b"})
	if err != nil || s.Sender == nil || *s.Sender != "" || !slices.Equal(s.Recipients, []string{"a@b"}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestArguments(t *testing.T) {
	for line, want := range map[string]string{
		"notices enqueue a@b":       "enqueue a@b",
		"/usr/sbin/sendmail -t":     "sendmail -t",
		"sendmail":                  "sendmail",
		"/usr/bin/mailq -v":         "sendmail -bp -v",
		"newaliases":                "sendmail -bi",
		"/usr/sbin/sendmail.x list": "list",
		"":                          "",
	} {
		if got := strings.Join(Arguments(strings.Fields(line)), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
