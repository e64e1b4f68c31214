package app

import (
	"errors"
	"fmt"
	"strings"

	"notices/spool"
)

// SendmailOptions are those of Postfix's sendmail, as getopt(3) writes them: a colon
// behind those that take a value. Programs that were written for other sendmails give all of
// them; options without a meaning here are ignored.
const SendmailOptions = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"

// Sendmail reads the arguments of `notices sendmail`, after options that stood before the
// command's name. The error is a usage error.
func (p *Program) Sendmail(args []string) (*Sendmail, error) {
	s, err := parseSendmail(p.Leading(args))
	if err == nil && p.Verbose {
		// Either -v asks for the id, not for the log.
		s.Verbose, p.Verbose = true, false
	}
	return s, err
}

func parseSendmail(args []string) (*Sendmail, error) {
	s := new(Sendmail)
	rest, err := getopt(args, s.option)
	if err != nil {
		return nil, UsageError("notices sendmail", err)
	}
	s.Recipients = rest
	return s, nil
}

// getopt calls do for each option and returns what follows them. As POSIX says it
// stops at the first argument that is not an option and behind "--"; and as every
// sendmail has it, a -q that stands alone has no value.
func getopt(args []string, do func(option byte, value string) error) ([]string, error) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		letters := args[0][1:]
		args = args[1:]
		switch letters {
		case "-":
			return args, nil
		case "q":
			if err := do('q', ""); err != nil {
				return nil, err
			}
			continue
		}
		for letters != "" {
			c := letters[0]
			var value string
			var err error
			if value, letters, args, err = valueOf(c, letters[1:], args); err == nil {
				err = do(c, value)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return args, nil
}

// valueOf takes the value of an option from what follows its letter, or from the next
// argument.
func valueOf(option byte, rest string, args []string) (value, letters string, next []string, err error) {
	_, behind, known := strings.Cut(SendmailOptions, string(option))
	switch {
	case !known || option == ':':
		return "", "", nil, fmt.Errorf("unknown option -%c%s; the options are those of sendmail: man notices-sendmail", option, rest)
	case !strings.HasPrefix(behind, ":"):
		return "", rest, args, nil
	case rest != "":
		return rest, "", args, nil
	case len(args) == 0:
		return "", "", nil, fmt.Errorf("-%c needs a value", option)
	}
	return args[0], "", args[1:], nil
}

func (s *Sendmail) option(c byte, value string) error {
	switch c {
	case 'b':
		return s.mode(value)
	case 'f', 'r':
		s.Sender = &value
	case 'F':
		s.FullName = value
	case 'i':
		s.IgnoreDot = true
	case 'I':
		s.Mode = SendmailAliases
	case 'N':
		s.DSN.Notify = strings.ToLower(value)
		return withOption("-N", spool.CheckNotify(s.DSN.Notify))
	case 'R':
		s.DSN.ReturnHeaders, s.DSN.ReturnFull = strings.EqualFold(value, "hdrs"), strings.EqualFold(value, "full")
		if !s.DSN.ReturnHeaders && !s.DSN.ReturnFull {
			return fmt.Errorf("-R %s: it is full or hdrs", value)
		}
	case 'V':
		s.DSN.EnvelopeID = value
		return withOption("-V", spool.CheckEnvelopeID(value))
	case 'o':
		s.IgnoreDot = s.IgnoreDot || value == "i"
	case 'q':
		s.Mode, s.Which = SendmailFlush, value
		switch interval := strings.TrimLeft(value, "0123456789"); {
		case interval != value && strings.Trim(interval, "0123456789smhdw") != "":
			return fmt.Errorf("-q%s: not a time, like -q30m", value)
		case strings.HasPrefix(value, "!"):
			return fmt.Errorf("-q%s: messages cannot be excluded; -qI, -qR and -qS choose messages", value)
		}
	case 't':
		s.FromHeader = true
	case 'v':
		s.Verbose = true
	}
	return nil
}

// withOption puts the option in front of its error.
func withOption(option string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s %w", option, err)
	}
	return err
}

func (s *Sendmail) mode(value string) error {
	switch value {
	case "m":
		s.Mode = SendmailQueue
	case "p":
		s.Mode = SendmailList
	case "s":
		s.Mode = SendmailSMTP
	case "i":
		s.Mode = SendmailAliases
	case "d", "D", "l":
		return fmt.Errorf("-b%s: notices is not a mail server and has no daemon; cron or systemd runs notices flush", value)
	case "v":
		return errors.New("-bv: addresses cannot be verified without sending to them")
	default:
		return fmt.Errorf("-b%s: it is -bm, -bp, -bs or -bi", value)
	}
	return nil
}
