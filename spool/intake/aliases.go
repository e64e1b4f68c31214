package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"notices/spool/intake/mailaddr"
	"notices/spool/maillog"
)

// Names of this machine, as root in cron's "To: root", have no mailbox on a machine
// that only sends. /etc/aliases says who reads their mail, as for every sendmail.
// Users of the machine who are not in that file have a mailbox at [site] admin.
// Only addresses, other names and /dev/null count here. A program, a file or an
// :include: is left out with a warning: this program starts none, and writes into no
// mailbox. What cannot be read is left out with a warning, too: a mistake in the file
// loses no mail.

// maxAliases is the longest file that is read, in octets: room for spool.MaxRecipients of
// the longest addresses.
const maxAliases = 16 << 20

// localNames knows the names of this machine.
type localNames struct {
	in      *Intake
	bare    bool                // a name without @ is one of this machine
	aliases map[string][]string // by name in lower case, in pieces; nil: not read yet
	users   []byte              // the file of users, in lower case, with a line end before it; nil: not read yet
}

// expand is what an address stands for: itself, or, when it is a name of this machine, what
// the aliases say, or else the admin, or else the name at the site's domain. discarded: it
// leads to /dev/null.
func (l *localNames) expand(address string) (found []string, discarded bool, err error) {
	if !l.mayBeLocal(address) {
		return []string{address}, false, nil
	}
	if err := l.read(); err != nil {
		return nil, false, err
	}
	name, ok := l.nameIn(address)
	if !ok {
		return []string{address}, false, nil
	}
	e := expansion{localNames: l, seen: make(map[string]bool)}
	if err := e.name(name); err != nil || len(e.found) > 0 || e.discarded {
		return e.found, err == nil && len(e.found) == 0, err
	}
	maillog.TroubleOnce(l.in.Log, l.in.Aliases+": "+quote(name)+" leads to nobody who can be written to: its mail goes to [site] admin, or the site's domain", nil)
	err = e.final(name)
	return e.found, false, err
}

// mayBeLocal reports whether the aliases have to be asked about an address.
func (l *localNames) mayBeLocal(address string) bool {
	i := strings.LastIndexByte(address, '@')
	return l.bare && address != "" && (i < 0 || l.isHere(address[i+1:]))
}

// nameIn is the name in an address without a domain. With a domain that is this machine it is one if
// there is an alias for it, or if the admin reads its mail, and with localhost for every user; the
// domain then says nothing.
func (l *localNames) nameIn(address string) (string, bool) {
	i := strings.LastIndexByte(address, '@')
	switch {
	case !l.mayBeLocal(address):
		return "", false
	case i < 0:
		return mailaddr.Unquote(address), true
	}
	name, domain := mailaddr.Unquote(address[:i]), address[i+1:]
	// Users may well have mailboxes at the site's domain, whatever this host is called.
	foreign := !strings.EqualFold(domain, mailaddr.DomainOf(l.in.Site.Address))
	return name, name != "" && (l.hasAlias(name) || foreign && l.isUser(name) || strings.HasPrefix(strings.ToLower(domain), "localhost") && l.inUsers(name))
}

// isHere reports whether a domain is this machine.
func (l *localNames) isHere(domain string) bool {
	names := []string{"localhost", "localhost.localdomain"}
	if l.in.LocalNames != nil {
		names = l.in.LocalNames()
	}
	return slices.ContainsFunc(names, func(name string) bool { return name != "" && strings.EqualFold(name, domain) })
}

// isUser reports whether a name is a user of this machine whose mail the admin reads.
func (l *localNames) isUser(name string) bool { return l.in.Site.Admin != "" && l.inUsers(name) }

// hasAlias reports whether the file names a name, in upper or lower case.
func (l *localNames) hasAlias(name string) bool {
	_, ok := l.aliases[strings.ToLower(name)]
	return ok
}

// isKnown reports whether a name has an alias or is a user of this machine.
func (l *localNames) isKnown(name string) bool { return l.hasAlias(name) || l.inUsers(name) }

func (l *localNames) inUsers(name string) bool {
	if l.in.Users == "" {
		return false
	}
	if l.users == nil {
		text, err := readRegular(l.in.Users, maxAliases)
		if err != nil {
			maillog.TroubleOnce(l.in.Log, "the users of this machine cannot be read: mail for them does not go to [site] admin", err)
		}
		l.users = []byte("\n" + strings.ToLower(text))
	}
	return !strings.ContainsAny(name, ":\n") && bytes.Contains(l.users, []byte("\n"+strings.ToLower(name)+":"))
}

// qualify gives a name without a domain the site's.
func (l *localNames) qualify(address string) (string, error) {
	if !l.bare || address == "" || strings.IndexByte(address, '@') >= 0 {
		return address, nil
	}
	if l.in.Site.Address == "" {
		return "", noAddress("the address " + quote(address) + " needs its domain")
	}
	return address + "@" + mailaddr.DomainOf(l.in.Site.Address), nil
}

// expansion follows the aliases of one recipient.
type expansion struct {
	*localNames
	seen  map[string]bool // names in lower case: each is followed once, so a loop ends
	found []string

	discarded bool // /dev/null was among them
}

// name adds what a name stands for. A name that stands for itself, too, is final.
func (e *expansion) name(name string) error {
	key := strings.ToLower(name)
	value, ok := e.aliases[key]
	if !ok || e.seen[key] {
		return e.final(name)
	}
	e.seen[key] = true
	for piece := range mailaddr.SplitCommas(strings.Join(value, " ")) {
		if err := e.piece(name, piece); err != nil {
			return err
		}
	}
	return nil
}

// final adds the admin for a user of this machine, else the name at the site's domain.
func (e *expansion) final(name string) error {
	if e.isUser(name) {
		e.found = append(e.found, e.in.Site.Admin)
		return nil
	}
	address, err := e.qualify(name)
	if err == nil {
		e.found = append(e.found, mailaddr.Requote(address))
	}
	return err
}

// piece adds one of the addresses that the alias name has.
func (e *expansion) piece(name, piece string) error {
	bare := mailaddr.Unquote(piece)
	switch {
	case bare == "/dev/null":
		e.discarded = true
		return nil
	case strings.HasPrefix(bare, "|"), strings.HasPrefix(bare, "/"), strings.HasPrefix(bare, ":"):
		e.leaveOut(name, piece, "programs, files and included lists are not supported: notices sends mail, it starts no program and writes to no file")
		return nil
	case strings.HasPrefix(piece, `\`) && !strings.Contains(piece, "@"):
		return e.final(piece[1:]) // not to be looked up again
	}
	box, _ := mailaddr.Parse(piece)
	if inner, ok := e.nameIn(box.Address); ok {
		return e.name(inner)
	}
	if err := mailaddr.Check(box.Address); err != nil {
		e.leaveOut(name, piece, err.Error())
		return nil
	}
	e.found = append(e.found, box.Address)
	return nil
}

func (e *expansion) leaveOut(name, piece, why string) {
	in := e.in
	maillog.TroubleOnce(in.Log, in.Aliases+": "+quote(piece)+" is left out of "+quote(name), errors.New(why))
}

// read reads the file; a missing one counts as empty. One that is longer than what is read
// is an error: nobody knows who reads the mail of the names that are left out.
func (l *localNames) read() error {
	if l.aliases != nil {
		return nil
	}
	l.aliases = map[string][]string{}
	if l.in.Aliases == "" {
		return nil
	}
	text, err := readRegular(l.in.Aliases, maxAliases)
	switch {
	case errors.Is(err, errTooLong):
		return &Error{Kind: BadConfig, Err: err, Msg: fmt.Sprintf("%s is longer than %d MiB, so its recipients are not known; nothing was queued. "+
			"Take out of it what notices does not need, or name a shorter file in $NOTICES_ALIASES", l.in.Aliases, maxAliases>>20)}
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		maillog.TroubleOnce(l.in.Log, "the aliases cannot be read, so mail for root and other names goes where it would without them", err)
		return nil
	}
	found, wrong := parseAliases(text)
	l.aliases = found
	for _, what := range wrong[:min(len(wrong), maxWrong)] {
		maillog.TroubleOnce(l.in.Log, l.in.Aliases+": "+what, nil)
	}
	if more := len(wrong) - maxWrong; more > 0 {
		maillog.TroubleOnce(l.in.Log, fmt.Sprintf("%s: %d more lines are ignored", l.in.Aliases, more), nil)
	}
	return nil
}

// maxWrong is how many of the lines that are ignored are named.
const maxWrong = 10

var errTooLong = errors.New("the file is too long")

// readRegular reads a file of at most so many octets. A FIFO or a device instead of a file
// would make mail wait for ever.
func readRegular(path string, most int64) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(path + " is not a regular file")
	}
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.Grow(int(min(info.Size(), most) + 1))
	switch n, err := io.Copy(&text, io.LimitReader(f, most+1)); {
	case err != nil:
		return "", err
	case n > most:
		return "", errTooLong
	}
	return text.String(), nil
}

// parseAliases reads the lines of an aliases file, aliases(5). The first line for a name
// counts, and a line that begins with a blank continues the one before: found has the
// pieces of each. wrong says what is ignored.
func parseAliases(text string) (found map[string][]string, wrong []string) {
	found = make(map[string][]string)
	last, known := "", false // the name that a line with a blank in front belongs to
	text, bom := strings.CutPrefix(text, "\ufeff")
	if bom {
		wrong = append(wrong, "it begins with a byte order mark, which is ignored: save it as UTF-8 without one")
	}
	number, any := 0, false
	ignored := func(line, why string) {
		wrong = append(wrong, fmt.Sprintf("line %d is ignored: %s: %s", number, why, quote(line)))
	}
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		bare := strings.Trim(line, " \t")
		switch {
		case bare == "" || bare[0] == '#':
			continue
		case line[0] == ' ' || line[0] == '\t':
			if last != "" && !known {
				found[last] = append(found[last], bare)
			}
			if !any {
				ignored(line, "it begins with a blank as if it continued a line, and no line is before it")
			}
			continue
		}
		any = true
		name, value, ok := cutAlias(line)
		if last = ""; !ok {
			ignored(line, "it has no name and colon")
			continue
		}
		last = strings.ToLower(name)
		if _, known = found[last]; known {
			ignored(line, "a line before names "+quote(name)+", and the first one counts")
			continue
		}
		found[last] = []string{value}
	}
	return found, wrong
}

// cutAlias cuts a line at the colon behind the name, which may be quoted.
func cutAlias(line string) (name, value string, ok bool) {
	n := 0
	if line[0] == '"' {
		n = mailaddr.QuotedLen(line)
	}
	i := strings.IndexByte(line[n:], ':')
	if i < 0 {
		return "", "", false
	}
	name = mailaddr.Unquote(strings.Trim(line[:n+i], " \t"))
	return name, strings.Trim(line[n+i+1:], " \t"), name != ""
}
