package config

import (
	"fmt"
	"strings"
)

// preset is what is known of a provider. What is 0 or empty is left to the defaults
// (4 connections, 50 messages through one, 100 recipients): no figure stands here that
// the provider's page does not give. A day's figure that differs from plan to plan is
// the smallest plan's, or left out where no page gives one. All were looked up in
// November 2026.
type preset struct {
	host          string
	port          int
	connections   int
	perConnection int
	perMinute     int
	perDay        int
	recipients    int
}

// PresetNames are the values of preset.
func PresetNames() []string {
	return []string{"gmail", "google-relay", "microsoft365", "ses", "sendgrid", "mailgun", "fastmail"}
}

// presetOf returns what is known; login may tell two kinds of accounts apart. It is
// a function so that nothing is built before it is asked for.
func presetOf(name, login string) preset {
	switch name {
	case "gmail":
		// https://support.google.com/a/answer/166852: 2,000 messages in any 24 hours (trial
		// accounts 500), 100 recipients of a message through smtp.gmail.com. A free account,
		// https://support.google.com/mail/answer/22839 as others quote it: 500. Over it the
		// account is shut for up to a day.
		p := preset{host: "smtp.gmail.com", port: 465, perDay: 2000, recipients: 100}
		if free(login) {
			p.perDay = 500
		}
		return p
	case "google-relay":
		// https://support.google.com/a/answer/2956491: port 587 with TLS; 10,000 messages of
		// a user in any 24 hours. Recipients: the table of 166852, which names
		// smtp-relay.gmail.com, too.
		return preset{host: "smtp-relay.gmail.com", port: 587, perDay: 10_000, recipients: 100}
	case "microsoft365":
		// https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements:
		// three connections at once, 30 messages a minute, 10,000 recipients a day. A mail to
		// one recipient is one of those.
		return preset{host: "smtp.office365.com", port: 587, connections: 3, perMinute: 30, perDay: 10_000}
	case "ses":
		// https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html: a host in each region,
		// STARTTLS on 587. https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html:
		// 50 recipients of a message. How many messages is said of each account by itself;
		// https://docs.aws.amazon.com/ses/latest/dg/quotas.html has the sandbox: 200 a day,
		// one a second.
		return preset{port: 587, recipients: 50}
	case "sendgrid":
		// https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api:
		// port 587, the login is the word apikey; 5,000 messages through a connection and
		// 10,000 connections at once from one machine, of which the default is enough. The
		// day's number is the plan's and on no such page.
		return preset{host: "smtp.sendgrid.net", port: 587, perConnection: 5000}
	case "mailgun":
		// https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp:
		// smtp.mailgun.org, 587. .../sending-messages/batch-sending: 1,000 recipients of a
		// message, by SMTP too. The number is the plan's; a new account may be held to some
		// an hour, which its page (https://help.mailgun.com/hc/en-us/articles/115001124753)
		// does not tell. The host for domains of the EU region, smtp.eu.mailgun.org, was seen
		// in the settings of many programs and on no page of Mailgun's.
		return preset{host: "smtp.mailgun.org", port: 587, recipients: 1000}
	case "fastmail":
		// https://www.fastmail.com/help/technical/servernamesandports.html: 465.
		// https://www.fastmail.help/hc/en-us/articles/1500000277382-Account-limits, as three
		// others quote it (its table could not be read itself): Basic, the smallest plan,
		// 4,000 recipients a day and 2,000 an hour, of which 33 a minute is the even share;
		// Standard twice, Professional four times as many; a trial 120 a day.
		return preset{host: "smtp.fastmail.com", port: 465, perMinute: 33, perDay: 4000}
	}
	return preset{}
}

// free: an account of Google's that nobody pays for.
func free(login string) bool {
	login = strings.ToLower(login)
	return strings.HasSuffix(login, "@gmail.com") || strings.HasSuffix(login, "@googlemail.com")
}

// sesHost is how Amazon's hosts are named, with a region for an example.
const sesHost = "email-smtp.eu-west-1.amazonaws.com"

// preset fills in what the provider is known for, before the keys of the file are
// read, which win.
func (l *loader) preset(s *Server, t table) {
	name, _ := t["preset"].(string)
	login, _ := t["login"].(string)
	p := presetOf(name, login)
	auth, _ := t["auth"].(string)
	// The account's own section says where its server is.
	if auth == AuthGoogle && name == "gmail" || auth == AuthMicrosoft && name == "microsoft365" {
		p.host, p.port = "", 0
	}
	set := func(key string, to *int, value int) {
		if _, given := t[key]; value > 0 && !given {
			*to = value
			s.FromPreset = append(s.FromPreset, fmt.Sprintf("%s = %d", key, value))
		}
	}
	if _, given := t["host"]; p.host != "" && !given {
		s.Host = p.host
		s.FromPreset = append(s.FromPreset, "host = "+quote(p.host))
	}
	set("port", &s.Port, p.port)
	set("connections", &s.Connections, p.connections)
	set("messages_per_connection", &s.MessagesPerConnection, p.perConnection)
	set("rate_per_minute", &s.RatePerMinute, p.perMinute)
	set("rate_per_day", &s.RatePerDay, p.perDay)
	set("recipients_per_message", &s.RecipientsPerMessage, p.recipients)
}

// noHost says what to write.
func (s *Server) noHost() string {
	if s.Preset == "ses" {
		return `has no host, and Amazon SES has one in each region: add host = "` + sesHost + `", with your region in it`
	}
	return `has no host: add host = "mail.example.org"`
}
