package app

import (
	"errors"
	"fmt"
	"strings"

	"notices/spool"
)

// SendmailOptions are those of Postfix's sendmail, as getopt(3) writes them: a colon
// behind those that take a value. Programs that were written for one sendmail or
// another give all of them; what has no meaning here is swallowed.
const SendmailOptions = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"

// Sendmail reads the arguments of `notices sendmail`, those that stood before the
// command's name first. The error is one of usage.
func (p *Program) Sendmail(args []string) (*Sendmail, error) {
	s, err := parseSendmail(p.Leading(args))
	if err == nil && p.Verbose {
		// One -v is as good as the other. It asks for the id, not for a line of the log.
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
// stops at the first argument that is no option and behind "--"; and as every
// sendmail has it, a -q that stands alone has no value.
func getopt(args []string, do func(option byte, value string) error) ([]string, error) {
	for len(args) > 0 {
		var took int
		var err error
		switch arg := args[0]; {
		case arg == "--":
			return args[1:], nil
		case len(arg) < 2 || arg[0] != '-':
			return args, nil
		case arg == "-q":
			err = do('q', "")
		default:
			took, err = letters(arg[1:], args[1:], do)
		}
		if err != nil {
			return nil, err
		}
		args = args[1+took:]
	}
	return args, nil
}

// letters does the options of one argument, and says how many of the next ones they
// took for a value: one or none.
func letters(arg string, next []string, do func(option byte, value string) error) (took int, err error) {
	for arg != "" && err == nil {
		c := arg[0]
		arg = arg[1:]
		_, behind, known := strings.Cut(SendmailOptions, string(c))
		switch {
		case !known || c == ':':
			return 0, fmt.Errorf("there is no option -%c%s; its options are those of sendmail, man notices-sendmail", c, arg)
		case !strings.HasPrefix(behind, ":"):
			err = do(c, "")
		case arg != "":
			return 0, do(c, arg)
		case len(next) == 0:
			return 0, fmt.Errorf("-%c wants a value", c)
		default:
			return 1, do(c, next[0])
		}
	}
	return 0, err
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
		s.Asked.Notify = strings.ToLower(value)
		return named("-N", spool.CheckNotify(s.Asked.Notify))
	case 'R':
		s.Asked.ReturnHeaders, s.Asked.ReturnFull = strings.EqualFold(value, "hdrs"), strings.EqualFold(value, "full")
		if !s.Asked.ReturnHeaders && !s.Asked.ReturnFull {
			return fmt.Errorf("-R %s: it is full or hdrs", value)
		}
	case 'V':
		s.Asked.EnvelopeID = value
		return named("-V", spool.CheckEnvelopeID(value))
	case 'o':
		s.IgnoreDot = s.IgnoreDot || value == "i"
	case 'q':
		s.Mode, s.Which = SendmailFlush, value
		if strings.HasPrefix(value, "!") {
			return fmt.Errorf("-q%s: what is to be left out cannot be said; -qI, -qR and -qS say what is to be attempted", value)
		}
	case 't':
		s.FromHeader = true
	case 'v':
		s.Verbose = true
	}
	return nil
}

// named is an error with the option that it is about in front.
func named(option string, err error) error {
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
		return fmt.Errorf("-b%s: notices is no mail server and has no daemon; cron or systemd runs notices flush", value)
	case "v":
		return errors.New("-bv: addresses cannot be verified without sending to them")
	default:
		return fmt.Errorf("-b%s: it is -bm, -bp, -bs or -bi", value)
	}
	return nil
}
