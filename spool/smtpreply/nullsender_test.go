package smtpreply

import (
	"testing"

	"notices/spool"
)

// Replies to a report: which say that its null sender is refused, so that it goes out
// once more with a sender.
func TestForNullSender(t *testing.T) {
	for _, c := range []struct {
		stage Stage
		reply string
		want  spool.Reason
	}{
		{StageMail, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", spool.ReasonSender},
		{StageDot, "554 5.2.252 SendAsDenied; desk@example.org not allowed to send as MAILER-DAEMON@example.org", spool.ReasonSender},
		{StageRcpt, "553 5.7.1 <>: Sender address rejected: not logged in", spool.ReasonSender},
		{StageRcpt, "554 5.7.1 null sender", spool.ReasonSender},
		{StageDot, "550 5.7.1 null sender not allowed", spool.ReasonSender},
		{StageRcpt, "550 <> is not welcome", spool.ReasonSender},
		{StageRcpt, "550 5.1.1 no such user", ""},
		{StageDot, "550 5.7.1 this is spam", ""},
		{StageRcpt, "451 4.7.1 sender is greylisted", ""},
	} {
		code, text, err := Read(newReader(c.reply+"\r\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if o := ForNullSender(testJudge().Outcome(c.stage, code, text)); o.Reason != c.want {
			t.Errorf("%s: %s: %q, want %q", c.stage, c.reply, o.Reason, c.want)
		} else if c.want != "" && (o.Class != spool.Failed || o.Scope != spool.MessageScope) {
			t.Errorf("%s: %s: %v", c.stage, c.reply, o)
		}
	}
}
