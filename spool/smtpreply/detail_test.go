package smtpreply

import "testing"

// TestDetail: what a refusal says of its recipient. The words are those that servers were seen to use.
func TestDetail(t *testing.T) {
	for _, c := range []struct {
		code           int
		enhanced, text string
		want           string
	}{
		{550, "5.1.1", "user unknown", "1.1"},
		{550, "5.2.1", "no such user", "2.1"}, // specific
		{550, "5.7.1", "user unknown to our policy", "7.1"},
		{550, "5.4.1", "Recipient address rejected: Access denied. [XY1234.prod.protection.outlook.com]", "1.1"}, // Microsoft 365
		{550, "5.4.1", "<a@example.net>: Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors", "1.1"},
		{550, "5.4.1", "no answer from host", "4.1"},
		{550, "5.5.0", "Requested action not taken: mailbox unavailable (S2017062302).", "1.1"}, // Outlook.com
		{554, "", "delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com) [0]", "1.1"},
		{550, "5.4.310", "DNS domain stale.example does not exist [Message=InfoDomainNonexistent]", "1.2"},
		{0, "5.4.310", "DNS domain 'stale.example' does not exist", "1.2"},
		{550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "1.1"},
		{556, "5.1.10", "Recipient address has null MX", "1.10"}, // RFC 7505
		{550, "5.0.0", "No such user here", "1.1"},               // Exim's reports have no other status
		{552, "5.0.0", "mailbox full", "2.2"},
		{550, "5.3.0", "unknown user", "1.1"},
		{550, "", "unknown user", "1.1"},
		{550, "", "mailbox is full", "2.2"},
		{0, "", "User's disk quota exceeded", "2.2"},
		{550, "5.0.0", "account is disabled", "2.1"},
		{550, "", "Sender address rejected: Domain not found", ""}, // the sender's
		{550, "5.0.0", "sender: unknown user", "0.0"},
		{550, "5.0.0", "I do not like it", "0.0"},
		{0, "", "", ""},
	} {
		if got := Detail(c.code, c.enhanced, c.text); got != c.want {
			t.Errorf("%d %s %s: %q, want %q", c.code, c.enhanced, c.text, got, c.want)
		}
	}
}
