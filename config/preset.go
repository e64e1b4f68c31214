package config

import (
	"maps"
	"strings"
)

// presetOf returns what is known of a provider, as keys that the file can override. The
// login may tell two kinds of accounts apart. Every figure is from the provider's pages, as
// of November 2026; the rest is left to the defaults. If the figure for a day differs from
// plan to plan, it is that of the smallest plan.
func presetOf(name, login string) []Setting {
	switch name {
	case "gmail":
		// https://support.google.com/a/answer/166852: 2,000 messages in any 24 hours (trial
		// accounts 500), 100 recipients of a message through smtp.gmail.com. A free account,
		// https://support.google.com/mail/answer/22839 as others quote it: 500. Over it the
		// account is shut for up to a day.
		perDay := 2000
		if login = strings.ToLower(login); strings.HasSuffix(login, "@gmail.com") || strings.HasSuffix(login, "@googlemail.com") {
			perDay = 500
		}
		return settings("host", "smtp.gmail.com", "port", 465, "rate_per_day", perDay, "recipients_per_message", 100)
	case "google-relay":
		// https://support.google.com/a/answer/2956491: port 587 with TLS; 10,000 messages of
		// a user in any 24 hours. Recipients: the table of 166852, which names
		// smtp-relay.gmail.com, too.
		return settings("host", "smtp-relay.gmail.com", "port", 587, "rate_per_day", 10_000, "recipients_per_message", 100)
	case "microsoft365":
		// https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements:
		// three connections at once, 30 messages a minute, 10,000 recipients a day. A mail to
		// one recipient is one of those.
		return settings("host", "smtp.office365.com", "port", 587, "connections", 3, "rate_per_minute", 30, "rate_per_day", 10_000)
	case "ses":
		// https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html: a host in each region,
		// STARTTLS on 587. https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html:
		// 50 recipients of a message. How many messages is said of each account by itself;
		// https://docs.aws.amazon.com/ses/latest/dg/quotas.html has the sandbox: 200 a day,
		// one a second.
		return settings("port", 587, "recipients_per_message", 50)
	case "sendgrid":
		// https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api:
		// port 587, the login is the word apikey; 5,000 messages through a connection and
		// 10,000 connections at once from one machine, of which the default is enough. The
		// day's number is the plan's and on no such page.
		return settings("host", "smtp.sendgrid.net", "port", 587, "messages_per_connection", 5000)
	case "mailgun":
		// https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp:
		// smtp.mailgun.org, 587. .../sending-messages/batch-sending: 1,000 recipients of a
		// message, by SMTP too. The number is the plan's; a new account may be held to some
		// an hour, which its page (https://help.mailgun.com/hc/en-us/articles/115001124753)
		// does not tell. The host for domains of the EU region, smtp.eu.mailgun.org, was seen
		// in the settings of many programs and on no page of Mailgun's.
		return settings("host", "smtp.mailgun.org", "port", 587, "recipients_per_message", 1000)
	case "fastmail":
		// https://www.fastmail.com/help/technical/servernamesandports.html: 465.
		// https://www.fastmail.help/hc/en-us/articles/1500000277382-Account-limits, as three
		// others quote it (its table could not be read itself): Basic, the smallest plan,
		// 4,000 recipients a day and 2,000 an hour, of which 33 a minute is the even share;
		// Standard twice, Professional four times as many; a trial 120 a day.
		return settings("host", "smtp.fastmail.com", "port", 465, "rate_per_minute", 33, "rate_per_day", 4000)
	}
	return nil
}

// PresetNames are the values of preset.
func PresetNames() []string {
	return []string{"gmail", "google-relay", "microsoft365", "ses", "sendgrid", "mailgun", "fastmail"}
}

// settings makes settings from keys and values in turn.
func settings(pairs ...any) []Setting {
	var list []Setting
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, Setting{Section: "server", Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return list
}

// withPreset adds to a [[server]] the keys of its preset that it does not set itself, and
// lists them as they would be written.
func withPreset(t table) (full table, added []string) {
	name, _ := t["preset"].(string)
	login, _ := t["login"].(string)
	auth, _ := t["auth"].(string)
	// The account's own section says where its server is.
	hasServer := auth == AuthGoogle && name == "gmail" || auth == AuthMicrosoft && name == "microsoft365"
	preset := presetOf(name, login)
	if preset == nil {
		return t, nil
	}
	full = maps.Clone(t)
	for _, s := range preset {
		if _, given := t[s.Key]; given || hasServer && (s.Key == "host" || s.Key == "port") {
			continue
		}
		full[s.Key] = s.Parsed()
		added = append(added, strings.TrimSuffix(s.String(), "\n"))
	}
	return full, added
}
