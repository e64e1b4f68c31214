package migrate

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; read them before committing")

// files reads testdata/NAME/ as the folder in which a program has its files.
func files(name string) ReadFile {
	return func(path string) ([]byte, error) {
		if path == "/etc/mailname" {
			return []byte("desk.example.org\n"), nil
		}
		return os.ReadFile(filepath.Join("testdata", name, filepath.Base(path)))
	}
}

// dump is all that was found, for a golden file; secrets between ‹ and ›.
func dump(c *Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: name %q address %q admin %q hostname %q rewrite %v give_up %v warn_after %v size %d syslog %v\n",
		c.Program, c.Name, c.Address, c.Admin, c.Hostname, c.Rewrite, c.GiveUp, c.WarnAfter, c.MaxSize, c.Syslog)
	for i, s := range c.Servers {
		fmt.Fprintf(&b, "%d: %s port %d tls %q lax %v unverified %v login %q in clear %v password ‹%s› command ‹%s› token ‹%s› ca %q %s timeout %v\n",
			i+1, s.Host, s.Port, s.TLS, s.NonSecure, s.Unverified, s.Login, s.NonSecureLogin, s.Password, s.PasswordCommand, s.TokenCommand, s.CAFile, s.Fingerprint, s.Timeout)
	}
	for _, n := range c.Notes {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}

// Configurations as they are found, and all that is said about them.
func TestRead(t *testing.T) {
	for name, path := range map[string]string{
		"nullmailer": "/etc/nullmailer", "nullmailer-old": "/etc/nullmailer/remotes", "msmtp": "/etc/msmtprc",
		"msmtp-tokens": "/home/library/.msmtprc", "ssmtp": "/etc/ssmtp/ssmtp.conf", "ssmtp-plain": "/etc/ssmtp",
		"postfix": "/etc/postfix", "postfix-plain": "/etc/postfix/main.cf", "dma": "/etc/dma/dma.conf",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Read(path, files(name))
			if err != nil {
				t.Fatal(err)
			}
			got := dump(c)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			noSecrets(t, c)
		})
	}
}

// noSecrets: none of the notes repeats a password.
func noSecrets(t *testing.T, c *Config) {
	t.Helper()
	for _, s := range c.Servers {
		if len(s.Password) < 5 { // may be part of another word
			continue
		}
		for _, n := range c.Notes {
			if strings.Contains(n.String(), s.Password) {
				t.Errorf("a note shows a secret: %s", n)
			}
		}
	}
}

// A file is known by what is in it, whatever its name; and a file of no known program is refused.
func TestKinds(t *testing.T) {
	for text, want := range map[string]string{
		"defaults\naccount x\nhost h.example.org\n":     "msmtp",
		"MAILHUB=h.example.org\n":                       "ssmtp",
		"SMARTHOST h.example.org\n":                     "dma",
		"# Postfix\nrelayhost = [h.example.org]:587\n":  "Postfix",
		"=\nmailhub=h.example.org\n":                    "ssmtp", // a line without a word
		"hello\n":                                       "",
		"account x\n":                                   "",
		"relayhost =\n":                                 "",
		"\x00account x\nhost h.example.org\n":           "",
		"smtp.example.org smtp --port=587 --starttls\n": "",
	} {
		c, err := Read("/tmp/old.conf", func(path string) ([]byte, error) {
			if path == "/tmp/old.conf" {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		})
		got := ""
		if err == nil {
			got = c.Program
		}
		if got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	if _, err := Read("/nowhere", func(path string) ([]byte, error) { return nil, fs.ErrNotExist }); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What went over TLS alone goes so here, whether or not the certificate was looked at; and
// a password that did not go in clear does not. Of each program: what it did by its manual.
func TestNothingMoreInClear(t *testing.T) {
	const clear, mail, secure = "mail and password in clear", "mail in clear", "nothing in clear"
	for _, c := range []struct{ file, text, want string }{
		{"msmtprc", "account x\nhost h.example.org\nauth on\nuser u\npassword p\ntls on\ntls_certcheck off\n", secure},
		{"msmtprc", "account x\nhost h.example.org\nauth on\nuser u\npassword p\ntls on\ntls_starttls off\ntls_certcheck off\n", secure},
		{"msmtprc", "account x\nhost h.example.org\nauth plain\nuser u\npassword p\ntls on\ntls_certcheck off\n", secure},
		{"msmtprc", "account x\nhost h.example.org\nauth on\nuser u\npassword p\ntls off\n", mail}, // a way that hides it, or none
		{"msmtprc", "account x\nhost h.example.org\nauth cram-md5\nuser u\npassword p\n", mail},
		{"msmtprc", "account x\nhost h.example.org\nauth plain\nuser u\npassword p\n", clear},
		{"msmtprc", "account x\nhost h.example.org\n", mail},
		{"remotes", "h.example.org smtp --starttls --insecure --user=u --pass=p\n", secure},
		{"remotes", "h.example.org smtp --tls --insecure --user=u --pass=p\n", secure},
		{"remotes", "h.example.org smtp --starttls --user=u --pass=p\n", secure},
		{"remotes", "h.example.org smtp --user=u --pass=p\n", clear},
		{"ssmtp.conf", "mailhub=h.example.org\nUseSTARTTLS=YES\nAuthUser=u\nAuthPass=p\n", secure},
		{"ssmtp.conf", "mailhub=h.example.org\nAuthUser=u\nAuthPass=p\n", clear},
		{"ssmtp.conf", "mailhub=h.example.org\nAuthUser=u\nAuthPass=p\nAuthMethod=CRAM-MD5\n", mail},
		{"dma.conf", "SMARTHOST h.example.org\nAUTHPATH auth.conf\nSECURETRANSFER\nSTARTTLS\n", secure},
		{"dma.conf", "SMARTHOST h.example.org\nAUTHPATH auth.conf\nSECURETRANSFER\nOPPORTUNISTIC_TLS\n", secure},
		{"dma.conf", "SMARTHOST h.example.org\nAUTHPATH auth.conf\nSECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS\n", mail},
		{"dma.conf", "SMARTHOST h.example.org\nAUTHPATH auth.conf\n", mail},
		{"dma.conf", "SMARTHOST h.example.org\nAUTHPATH auth.conf\nINSECURE\n", clear},
		{"main.cf", sasl + "smtp_tls_security_level = encrypt\nsmtp_sasl_security_options = noanonymous\n", secure},
		{"main.cf", sasl + "smtp_tls_security_level = may\nsmtp_tls_wrappermode = yes\nsmtp_sasl_security_options = noanonymous\n", secure},
		{"main.cf", sasl + "smtp_tls_security_level = may\n", mail}, // noplaintext is Postfix's default
		{"main.cf", sasl + "smtp_tls_security_level = may\nsmtp_sasl_security_options = noanonymous\n", clear},
		{"main.cf", sasl + "smtp_sasl_security_options = noanonymous\n", clear},
	} {
		got, err := Read("/etc/x/"+c.file, func(path string) ([]byte, error) {
			switch filepath.Base(path) {
			case c.file:
				return []byte(c.text), nil
			case "auth.conf":
				return []byte("u|h.example.org:p\n"), nil
			case "sasl":
				return []byte("h.example.org u:p\n"), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		})
		if err != nil {
			t.Fatal(err)
		}
		s, is := got.Servers[0], secure
		switch {
		case s.NonSecureLogin:
			is = clear
		case s.NonSecure:
			is = mail
		}
		if is != c.want || s.NonSecureLogin && !s.NonSecure {
			t.Errorf("%s: %s, want %s:\n%s", c.file, is, c.want, c.text)
		}
		if told := strings.Contains(dump(got), "allow_non_secure_login = true"); told != (is == clear) {
			t.Errorf("%s: what is told differs from what is done:\n%s", c.file, dump(got))
		}
	}
}

// What changes what goes out is taken over or named, with what takes its place. The keys
// are those of the programs' manuals.
func TestWhatChangesMailIsNotLost(t *testing.T) {
	const postfix, msmtp, ssmtp, dma = "relayhost = [h.example.org]:587\n", "account x\nhost h.example.org\n", "mailhub=h.example.org\n", "SMARTHOST h.example.org\n"
	for _, c := range []struct{ file, text, want string }{
		{"msmtprc", msmtp + "from a@x.example\nset_from_header on\n", "a@x.example rewrite"},
		{"msmtprc", msmtp + "from a@x.example\nset_from_header auto\n", ": set_from_header auto: not taken over: .*rewrite_from"},
		{"msmtprc", msmtp + "from %U@x.example\nset_from_header on\n", ": set_from_header on: not taken over: .*rewrite_from"},
		{"msmtprc", msmtp + "allow_from_override off\n", ": allow_from_override off: not taken over: .*rewrite_from"},
		{"msmtprc", msmtp + "auto_from on\nmaildomain x.example\n", ": maildomain x.example: not taken over: .*address"},
		{"msmtprc", msmtp + "from_full_name The Library\n", `: from_full_name The Library: \[site\] name = "The Library"`},
		{"msmtprc", msmtp + "undisclosed_recipients on\n", ": undisclosed_recipients on: not taken over: To and Cc"},
		{"msmtprc", msmtp + "remove_bcc_headers off\n", ": remove_bcc_headers off: not taken over: Bcc"},
		{"msmtprc", msmtp + "aliases /etc/aliases\n", ": aliases /etc/aliases: notices reads it too"},
		{"msmtprc", msmtp + "aliases /etc/mail/aliases\n", ": aliases /etc/mail/aliases: not taken over: .*add the contents"},
		{"msmtprc", msmtp + "dsn_notify failure\n", ": dsn_notify failure: not taken over: .*-N"},
		{"msmtprc", msmtp + "tls_fingerprint " + strings.Repeat("AB:", 31) + "AB\n", `tls_fingerprint = "sha256:` + strings.Repeat("ab", 32)},
		{"msmtprc", msmtp + "tls_fingerprint " + strings.Repeat("AB:", 19) + "AB\n", "not taken over: it is not a SHA-256"},
		{"msmtprc", msmtp + "pasword geheim-1\n", ": pasword: not taken over"},
		{"ssmtp.conf", ssmtp + "FromLineOverride=YES\n", ": FromLineOverride=YES: mail keeps its own From"},
		{"ssmtp.conf", ssmtp + "FromLineOverride=NO\n", ": FromLineOverride=NO: not taken over: .*rewrite_from"},
		{"ssmtp.conf", ssmtp, ": no FromLineOverride: not taken over: .*rewrite_from"},
		{"ssmtp.conf", ssmtp + "root=a@x.example\n", `admin = "a@x.example", and address`},
		{"ssmtp.conf", ssmtp + "rewriteDomain=x.example\n", ": rewriteDomain=x.example: not taken over: .*address"},
		{"dma.conf", dma + "MASQUERADE a@x.example\n", "a@x.example rewrite"},
		{"dma.conf", dma + "MASQUERADE x.example\n", ": MASQUERADE x.example: not taken over: .*address"},
		{"dma.conf", dma + "ALIASES /etc/dma/aliases\n", ": ALIASES: not taken over: .*/etc/aliases"},
		{"dma.conf", dma + "FINGERPRINT " + strings.Repeat("0f", 32) + "\n", `tls_fingerprint = "sha256:0f`},
		{"main.cf", postfix + "sender_canonical_maps = static:a@x.example\n", "a@x.example rewrite"},
		{"main.cf", postfix + "sender_canonical_maps = regexp:/etc/x/all\n", "a@x.example rewrite"},
		{"main.cf", postfix + "smtp_generic_maps = pcre:/etc/x/all\n", "a@x.example rewrite"},
		{"main.cf", postfix + "sender_canonical_maps = regexp:/etc/x/some\n", ": sender_canonical_maps = regexp:/etc/x/some: not taken over: .*rewrite_from"},
		{"main.cf", postfix + "smtp_generic_maps = hash:/etc/x/generic\n", ": smtp_generic_maps = hash:/etc/x/generic: not taken over: .*rewrite_from"},
		{"main.cf", postfix + "canonical_maps = static:a@x.example\n", ": canonical_maps = static:a@x.example: not taken over: "},
		{"main.cf", postfix + "masquerade_domains = x.example\n", ": masquerade_domains: not taken over: .*rewrite_from"},
		{"main.cf", postfix + "virtual_alias_maps = hash:/etc/x/v\n", ": virtual_alias_maps: not taken over: .*aliases"},
		{"main.cf", postfix + "always_bcc = a@x.example\n", ": always_bcc: not taken over: .*copies"},
		{"main.cf", postfix + "sender_dependent_relayhost_maps = hash:/etc/x/r\n", ": sender_dependent_relayhost_maps: not taken over: .*senders"},
		{"main.cf", postfix + "header_checks = regexp:/etc/x/h\n", ": header_checks: not taken over: .*header"},
		{"main.cf", postfix + "luser_relay = a@x.example\n", `admin = "a@x.example"`},
		{"main.cf", postfix + "maximal_queue_lifetime = 2\ndelay_warning_time = 4h\n", `\[retry\] warn_after = "4h"`},
		{"main.cf", postfix + "maximal_queue_lifetime = 1w\n", `\[retry\] give_up = "7d"`},
	} {
		got, err := Read("/etc/x/"+c.file, func(path string) ([]byte, error) {
			switch filepath.Base(path) {
			case c.file:
				return []byte(c.text), nil
			case "all":
				return []byte("# all of it\n/^.+$/  a@x.example\n"), nil
			case "some":
				return []byte("/^root/  a@x.example\n/.*/ b@x.example\n"), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		})
		if err != nil {
			t.Fatal(err)
		}
		said := got.Address
		if got.Rewrite {
			said += " rewrite"
		}
		for _, n := range got.Notes {
			said += ": " + n.What + ": " + cmp.Or(n.Became, "not taken over: "+n.Why)
		}
		if !regexp.MustCompile(c.want).MatchString(said) || strings.Contains(said, "geheim") {
			t.Errorf("%s: no %q in what is said of\n%s\n%s", c.file, c.want, c.text, said)
		}
	}
}

// Every server that there was is there, each with its own login, and the name that the
// machine called itself by only if servers can make something of it.
func TestServersAndNames(t *testing.T) {
	const relay, login = "relayhost = [a.example]:587\n", "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/x/sasl\n"
	for _, c := range []struct{ file, text, want, said string }{
		{"main.cf", "relayhost =\n  [a.example]:587\n", "a.example 587", `host = "a.example"`},
		{"main.cf", "relayhost =\n# a comment\n\t[a.example]:587\n  b.example\n", "a.example 587, b.example 25", `\[\[server\]\] 2 host`},
		{"main.cf", relay + "smtp_fallback_relay = [b.example], [c.example]:2525\n", "a.example 587, b.example 25, c.example 2525", `\[\[server\]\] 3 host`},
		{"main.cf", relay + login + "smtp_fallback_relay = [b.example]:587\n", "a.example 587 u:p, b.example 587 v:q", `\[\[server\]\] 2 login = "v"`},
		{"main.cf", relay + login + "smtp_fallback_relay = [b.example]\n  c.example\n", "a.example 587 u:p, b.example 25 v:q, c.example 25", "no password for c.example"},
		{"main.cf", relay + login, "a.example 587 u:p", "smtp_sasl_auth_enable = yes: login"},
		{"main.cf", "relayhost = x.example\n" + login, "x.example 25", "smtp_sasl_auth_enable = yes: not taken over: no password was found"},
		{"main.cf", relay + "smtp_sasl_auth_enable = no\n", "a.example 587", "smtp_sasl_auth_enable = no: not taken over: no login"},
		{"main.cf", relay + "myhostname = h.x.example\nsmtp_helo_name = mail.x.example\n", "a.example 587 EHLO mail.x.example", "myhostname = h.x.example: not taken over: smtp_helo_name"},
		{"main.cf", relay + "smtp_helo_name = mail.x.example\nmyhostname = h.x.example\n", "a.example 587 EHLO mail.x.example", ""},
		{"main.cf", relay + "smtp_helo_name = $myhostname\nmyhostname = h.x.example\n", "a.example 587 EHLO h.x.example", ""},
		{"main.cf", relay + "myhostname = vm\n", "a.example 587", "myhostname = vm: not taken over: it is not a full name"},
		{"ssmtp.conf", "mailhub=a.example:587\nhostname=vm\n", "a.example 587", "hostname=vm: not taken over: it is not a full name"},
		{"ssmtp.conf", "mailhub=a.example:587\nhostname=vm.example.\n", "a.example 587 EHLO vm.example", ""},
		{"remotes", "a.example smtp --port=587\n", "a.example 587", "vm: not taken over: it is not a full name"},
		{"dma.conf", "SMARTHOST a.example\nMAILNAME vm\n", "a.example 25", "MAILNAME vm: not taken over: it is not a full name"},
		{"msmtprc", "account x\nhost a.example\ndomain vm\n", "a.example 25", "domain vm: not taken over: it is not a full name"},
		{"msmtprc", "account x\nhost a.example\nauth xoauth2\nuser u\npasswordeval token u\n", "a.example 25 u token u", "passwordeval: token_command"},
		{"msmtprc", "account x\nhost a.example\nauth oauthbearer\nuser u\npasswordeval token u\n", "a.example 25 u token u", `user u: login = "u"`},
		{"msmtprc", "account x\nhost a.example\nauth xoauth2\nuser u\n", "a.example 25", "user: not taken over: tokens come from"},
	} {
		got, err := Read("/etc/x/"+c.file, func(path string) ([]byte, error) {
			switch filepath.Base(path) {
			case c.file:
				return []byte(c.text), nil
			case "sasl":
				return []byte("[a.example]:587 u:p\nb.example v:q\n"), nil
			case "me":
				return []byte("vm\n"), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		})
		if err != nil {
			t.Fatal(c.text, err)
		}
		var is []string
		for _, s := range got.Servers {
			words := fmt.Sprintf("%s %d %s", s.Host, s.Port, s.Login)
			if s.Password != "" {
				words += ":" + s.Password
			}
			is = append(is, strings.TrimSpace(words+" "+s.TokenCommand))
		}
		found := strings.Join(is, ", ")
		if got.Hostname != "" {
			found += " EHLO " + got.Hostname
		}
		if found != c.want || !regexp.MustCompile(c.said).MatchString(dump(got)) {
			t.Errorf("%s: %s, want %s, and %q said:\n%s\n%s", c.file, found, c.want, c.said, c.text, dump(got))
		}
	}
}

const sasl = "relayhost = h.example.org\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/x/sasl\n"

func TestShellWords(t *testing.T) {
	for line, want := range map[string]string{
		`a  b	c`:            "a|b|c",
		`a='b c' "d e"f`:    "a=b c|d ef",
		`a\ b "c\"d" 'e\f'`: `a b|c"d|e\f`,
		`"a\bc" ''`:         `a\bc|`,
		`p='it'\''s'`:       "p=it's",
	} {
		words, ok := shellWords(line)
		if got := strings.Join(words, "|"); got != want || !ok {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if _, ok := shellWords(`a 'b`); ok {
		t.Error("an open quote is taken")
	}
}

// No file ends the program or keeps it busy, and no note shows the secret in it.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"nullmailer/remotes", "msmtp/msmtprc", "ssmtp/ssmtp.conf", "postfix/main.cf", "dma/dma.conf"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Base(name), string(text))
	}
	f.Add("msmtprc", "account a\nhost h\naccount b : a,a\naccount c : b,b,a\naccount default : c,c\n")
	f.Add("main.cf", "a = $b$b\nb = $a$a\nrelayhost = ${a}[$b\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		c, err := Read("/etc/x/"+filepath.Base(name), func(string) ([]byte, error) { return []byte(text), nil })
		if err != nil {
			return
		}
		for _, s := range c.Servers {
			if s.Port < 1 || s.Port > 65535 {
				t.Errorf("port %d", s.Port)
			}
			if s.Password != "" && s.PasswordCommand != "" {
				t.Errorf("two ways to a secret: %+v", s)
			}
		}
	})
}
