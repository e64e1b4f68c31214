package smtpreply

// Words in which servers speak of our side: of the account, the sender, the client. A phrase is
// here if it cannot be said of a recipient. Where it can, a function in subject.go looks closer.

// sessionPhrases, with one of limitWords, say that this connection has carried enough.
var sessionPhrases = []string{
	"per session", "per connection", "per smtp session", "per smtp connection", "in one session", "in one connection", "on one session", "on one connection",
	"this session", "this connection", "this smtp session", "this smtp connection", "a single session", "a single connection", "same session", "same connection",
	"batch limit",
}

var limitWords = []string{"limit", "too many", "maxim", "exceed", "max ", "enough", "only", "allowed", "at most", "no more than", "reached"}

// sessionWords, with one of limitWords, say that this connection has carried enough, unless the
// reply is about the number of connections. They count only once it has carried something.
var sessionWords = []string{"session", "connection", "connection:", "reconnect", "transactions"}

// connectionsPhrases say that too many connections are open at once.
var connectionsPhrases = []string{
	"concurrent", "simultaneous", "parallel connection", "parallel session", "too many connections", "too many sessions", "too many open connections", "connections limit",
	"sessions limit", "number of connections", "number of sessions", "max connections", "maximum connections", "connections per host", "connections per ip", "connections per user",
	"connections from", "sessions from", "sessions for", "connections for", "sender thread limit", "clientsubmit; thread limit",
}

// notConnections are words of a limit that counts connections by time, or logins.
var notConnections = []string{"not accepted from", "not be accepted from", "rate", "per minute", "per hour", "per second", "frequent", "login attempts", "recipient"}

// sendAsPhrases say that the account may not send as this sender.
var sendAsPhrases = []string{
	"send as this sender", "sendasdenied", "not owned by user", "not owned by auth user",
	"sender address rejected: not logged in", "not authorized to send from that email address",
	"allowed to send as", "authorized to send as", "authorised to send as", "permitted to send as", "permission to send as",
	"permissions to send as", "may not send as", "cannot send as", "can't send as",
	"authorized to send on behalf", "authorised to send on behalf", "allowed to send on behalf",
	"send from this header address", "not valid for your login", "not one of your addresses", "not one of your verified", "sender is not same as", "not same as smtp auth", "sender login mismatch", "login mismatch", "sender address is not allowed",
	"must be same as authorization user", "must be the same as the authenticated", "must match auth", "must match the auth", "must match login", "must match the login",
	"not the same as login", "not the same as the login", "sender mismatch", "not local sender", "unauthorized sender address", "unauthorised sender address",
	"to use this sender", "to use this from", "to use from", "to use the from", "to use that sender", "send with this sender", "send with this from", "use this address as sender",
}

// relayPhrases say that the server does not relay for us.
var relayPhrases = []string{
	"relay access denied", "relaying denied", "relay denied", "unable to relay", "no relaying", "rcpthosts",
	"relay not permitted", "relaying not permitted", "permitted to relay",
	"relay not allowed", "relaying not allowed", "relaying is not allowed", "allowed to relay", "authorized to relay",
	"relay prohibited", "relaying prohibited", "relaying is prohibited", "relaying disallowed", "relay disallowed", "relaying is disallowed",
	"cannot relay", "can't relay", "does not relay", "do not relay", "not an open relay", "not a relay", "refuse to relay", "relay is denied",
	"credentials for relay", "relaying mail to", "not configured to relay", "insecure mail relay", "relay rejected",
	"not a gateway", "please try relay", "i cannot deliver mail for", "relaying temporarily denied",
	"delivery is not allowed to this address", // hMailServer: you are outside and so is the recipient
}

// clientPhrases say that the server does not serve this machine or its address.
var clientPhrases = []string{
	"client host rejected", "client host [", "client host blocked", "client rejected", "client was rejected", "client ip",
	"banned sending ip", "sending ip", "your ip", "the ip you", "this ip ", "ip address has been", "ip address is ",
	"ip not allowed", "your host ", "your server", "your network", "blocked using", "listed in", "reverse dns", "ptr record", "no ptr", "rdns",
	"sender ip", "connections will not be accepted from", "connection not allowed", "host is not allowed", "not allowed to connect",
	"poor reputation", "bad reputation", "low reputation", "reputation poor", "ip reputation", "sender reputation", "dynamic reputation", "blocked by reputation", "dynamic ip",
	"black list", "blacklist", "blocklist", "block list", "denylist", "in an rbl", "rbl:", "/rbl", "an rbl", "by rbl", "dnsbl", "listed at", "listed on", "listed by", "unauthorized ip", "unauthorised ip", "ip not authorized", "ip is not",
	"ip has been", "ip was ", "ip temporarily", "ip blocked", "ip is blocked", "ip rejected", "access to submit messages", "permission to submit", "permissions to submit", "access to this mail system", "weren't sent",
	blockLookup,
}

// blockLookup stands in a reply's words for a link to a page on which a client looks up why
// it is blocked: sometimes the link is all that says so.
const blockLookup = "blocked-client-lookup"

var blockLookups = []string{"ipcheck.proofpoint", "spamhaus.org/query/ip", "spamhaus.org/query/bl", "check.spamhaus.org", "spamcop.net", "csi.cloudmark", "barracudacentral", "sender.office.com", "delist.", "senderscore"}

// notClient are words that are about what the message holds, or about the recipient.
var notClient = []string{
	" url", "uribl", "surbl", " uri", " link", "content", "message contains", "body", "attachment", "may be blacklisted", "recipient's", "by recipient", "by the recipient", "this recipient", "recipient has", "by user", "mailbox", "user's",
	"unverified address", "undeliverable address",
}

// loginPhrases say that the client has to log in.
var loginPhrases = []string{
	"authentication required", "authentication is required", "authorization required", "authorisation required",
	"requires authentication", "require authentication", "without authentication", "without authorization",
	"authenticate first", "send auth command first", "auth first", "please authenticate", "must authenticate", "need to authenticate", "must be authenticated",
	"not authenticated", "not logged in", "login required", "must log in", "log in first", "please log in", "please login",
	"unauthenticated sender", "unauthenticated client", "unauthenticated connection",
	"pop before", "pop3 before", "mail with pop", "check for new mail", "check your mail", "submission port", "authenticated submission", "port 587", "port 465",
	"turn on smtp auth", "enable smtp auth", "smtp authentication", "proper authentication", "password expired", "password has expired", "password is expired", "auth is required", "auth required", "don't authenticate", "did not authenticate",
}

// notLogin are words about SPF, DKIM and DMARC, which are the message's, or about the recipient.
var notLogin = []string{"dmarc", "dkim", "spf", "sender policy", "resolver."}

// identityPhrases say that the account or the domain is not verified for the sender.
var identityPhrases = []string{
	"sender identity", "sender identities", "sender signature", "relaying disallowed as",
	"not verified", "not been verified", "not yet verified", "unverified", "not a verified", "not validated", "unconfirmed sender", "not confirmed",
	"from header sender", "from/sender name is not valid", "not an approved sender", "unapproved sender", "sender not approved", "sender is not approved",
	"not a registered sender", "sender not registered", "unregistered sender", "unregistered domain", "sender domain not",
	"not authorized to use sender", "not authorized to send mail from", "not allowed to send from", "not authorized to send from", "not authorised to send from",
	"not permitted to send from", "may not send from", "cannot send from", "not allowed from this account",
	"unconfigured sending domain", "unconfigured domain", "sending domain", "authorized to perform", "authorised to perform", "this mail is unauthenticated", "mail is not authenticated", "sender is unauthenticated", "unauthenticated email",
	"spf: ", "not allowed to send mail from", "not permitted to send mail from", "spf fail", "spf validation fail", "spf check", "spf: fail", "failed spf", "fails spf", "sender policy framework", "does not pass spf", "not pass authentication", "authentication checks",
	"request failed; mailbox unavailable", // Yahoo, of a From that is not the account's
	"not allowed in header from", "not allowed for this account", "not allowed for your account", "from address not allowed", "from address is not allowed",
}

// notIdentity are words about something else that can be verified.
var notIdentity = []string{"signature verif", "certificate", "recipient", "verified: no such", "its user", "account expired", "address expired"}

// limitPhrases say that the account, or this machine, sends too much.
var limitPhrases = []string{
	"per hour", "per minute", "per day", "per second", "per month", "per week", "per 24", "/hour", "/day", "/minute", "/ hour", "/ day",
	"mails an hour", "messages an hour", "this hour", "last hour", "hour limit", "hourly", "24 hours", "24 hrs", "24h", "in a day", "messages today",
	"too many", "too much mail", "too fast", "too quickly", "too frequent", "too often", "slow down", "slower",
	"throttl", "ratelimit", "rate-limit", "rate limit", "sending limit", "sending rate", "sending quota", "send limit", "send quota", "outgoing limit",
	"message limit", "messages limit", "mail limit", "email limit", "emails limit", "daily limit", "daily quota", "monthly limit", "monthly quota", "message quota", "mail quota", "email quota", "quota exceeded for sender",
	"recipient limit", "recipients limit", "limit of messages", "limit of emails", "submission quota", "submissionquota", "outgoing quota", "relay quota",
	"outmail quota", "exceeded your", "reached your", "over your limit", "exceeded its quota of", "number of messages", "messages sent", "maximum messages",
	"refusequota", "sending activity", "unusual activity", "suspicious activity",
	"failure sending mail", "submission rate", "message rate", "mail rate", "permitted limit", "policy rejection- quota", "policy rejection: quota", "rate for auth", "server busy", "server is busy", "server too busy",
	"connection limit", "concurrent connection", "connection rate", "unusual rate", "reached address outgoing",
}

// notAccountLimit are words about what a message may have too many of, or be over a limit of.
var notAccountLimit = []string{
	" hop", "received header", "received line", "received:", "mime", "attachment", "body part", "message part", "nested", " link", " url", " lines", "header", " dots", "exclamation", " image", " addresses", " parts", " file", "score",
	"considered spam", "as spam", "is spam", "be spam", "spam because", "spam message", "identified as", "classified as", "detected as", "hyperlink", "recipient domain",
	"size", "length", "octets", "bytes", "too large", "too big", "characters", "command pipelining",
}

// accountPhrases say that the account is shut, not paid, or not opened yet.
var accountPhrases = []string{
	"sending paused", "is paused", "paused your", "outgoing mail", "outbound mail has been", "your account", "account may not", "account is not", "account has not", "account not active",
	"account not enabled", "account not subscribed", "account is under", "account is on ", "on probation", "may not send", "not allowed to send", "not permitted to send",
	"not authorized to send", "not authorised to send", "not able to send", "cannot send", "can not send", "can't send", "no permission to send", "not entitled to send", "not enabled to send",
	"sending is not allowed", "sending is disabled", "sending disabled", "sending has been", "sending is suspended", "sending suspended", "sending blocked", "sending is blocked",
	"sender blocked", "sender is blocked", "sender has been blocked", "sender suspended", "sender has been suspended", "banned sender", "sender banned",
	"smtp service is not", "smtp is disabled", "smtp is not enabled", "smtp disabled", "smtp access", "smtp sending",
	"out of credit", "insufficient credit", "no credits", "not enough credit", "credits exceeded", "insufficient funds", "payment required", "unpaid", "overdue invoice",
	"upgrade your", "trial account", "trial period", "trial has", "trial tenant", "subscription has", "subscription is", "subscription expired", "plan limit",
	"outboundspam", "outbound spam", "wascl useraction", "bad outbound sender", "spam abuse detected",
	"license expired", "licence expired", "license has expired", "licence has expired", "are for test purposes", "activate your", "not yet activated",
}

// shutWords, with one of accountWords, say that the account is shut. At RCPT one of ourWords is
// needed too, because there they may speak of the recipient's account.
var (
	shutWords    = []string{"suspended", "disabled", "deactivated", "blocked", "locked", "frozen", "terminated", "on hold", "restricted", "expired", "paused", "not activated", "inactive"}
	accountWords = []string{"account", "sender", "sending", "user ", "domain is", "domain has", "tenant", "organization", "organisation"}
	ourWords     = []string{"your account", "sender", "sending", "your domain", "tenant", "outgoing", "outbound", "from this account"}
)

// toSomebodyPhrases say that we may not send to somebody, not that we may not send.
var toSomebodyPhrases = []string{
	"send to this", "send to the", "send to that", "send to: ", "mail to this", "mail to the", "mails to this", "mails to the", "messages to this", "messages to the",
	"message to this", "email to this", "email to the", "emails to this", "to this recipient", "to the recipient", "to this group", "to this list", "mailing list",
	"distribution", "post to", "the group", "to this user", "to this address", "to that address", "to this mailbox",
}

// senderPhrases are about the sender of the message.
var senderPhrases = []string{
	"sender verify", "callback setup failed", "sender address", "sender verification", "sender callout", "verify sender", "sender domain", "sender rejected", "sender denied", "sender refused", "sender was rejected",
	"sender is not", "sender not", "sender does not", "sender doesn't", "sender unknown", "sender blacklisted", "sender is in", "invalid sender", "bad sender", "unknown sender", "unroutable sender", "unrouteable sender",
	"domain of sender", "sender email", "sender e-mail", "envelope sender", "empty sender", "null sender", "mail from", "from address", "from: address", "from domain", "badmailfrom",
	"return path", "return-path", "reverse-path", "reverse path", "spoof", "valid sender", "local sender", "sender header",
}

// recipientIsPhrases say that the recipient does, has or is something, whatever is said of limits.
var recipientIsPhrases = []string{
	"recipient's", "the recipient ", "this recipient", "that recipient", "recipient has", "recipient is", "recipient rejected", "recipient mailbox", "recipient inbox", "recipient quota", "recipient rate",
	"recipient exceed", "recipient over", "recipient receiv", "is receiving", "receiving mail", "receive limit", "receive rate", "can receive", "receiving rate",
	"user you are trying", "person you are trying", "you tried to reach", "trying to reach", "mailbox", "inbox", "mail box", "maildir", "user has exceeded quota", "user has exceeded the quota", "user has exceeded its", "user has exceeded their", "user exceeded quota", "user is over", "user over",
	"the user has reached", "its user", "received mail", "receiving limit", "gets too many", "destination address", "target address", "recipient thread", "recipient domain", "recipient lookup", "recipient over", "recipient limit exceeded for", "addressee",
	"over quota", "user has too many", "for this user", "for that user", "for this address", "resolver.", "full inbox", "their message", "recipient address rejected: unverified", "recipient address rejected: undeliverable", "recipient verif", "destination domain", "destination mailbox",
}

// ourSideWords, beside an enhanced code of the recipient's, say that it is not the recipient.
var ourSideWords = []string{"your account", "your user", "sender", "sending", "submission", "smtp", "daily", "outgoing", "outbound", "relay"}

// ourLimitPhrases say that a limit is ours although a mailbox or a user is named.
var ourLimitPhrases = []string{"sender's", "your mailbox", "sending", "send limit", "send quota", "mails sent", "authenticated user", "outgoing", "submission"}

// greylistPhrases ask to try again later, for the sender or client is new to the recipient.
var greylistPhrases = []string{"greylist", "graylist", "grey list", "gray list", "grey-list", "greytrap", "postgrey", "too early", "please see http", "early talker"}

// recipientPhrases say at DATA or at the dot that the recipient is meant. "Not found" alone may
// be said of a key or a template.
var recipientPhrases = []string{
	"recipient address rejected", "recipient rejected", "recipient refused", "recipient denied", "recipient unknown", "unknown recipient", "invalid recipient", "no such recipient",
	"recipient not", "recipient does", "recipient doesn't", "recipient disabled", "recipient blocked", "user unknown", "unknown user", "no such user", "no such person", "no such address",
	"user does not exist", "user doesn't exist", "user not found", "user not known", "user not exist", "unknown local", "no account by that", "unrouteable address", "unroutable address",
	"invalid user", "not a valid user", "address unknown", "unknown address", "address does not exist", "address doesn't exist", "disk quota", "exceeded storage",
}

// recipientDetails are the enhanced codes of RFC 3463 3.2 and 3.3 that speak of the recipient.
var recipientDetails = []string{"1.1", "1.2", "1.3", "1.4", "1.6", "1.10", "2.1", "2.2", "2.4", "2.121", "2.122", "7.124", "7.129", "7.133", "7.134"}

// sizePhrases say that the message is too big.
var sizePhrases = []string{
	"message too big", "message too large", "message is too big", "message is too large", "message file too big", "mail too big", "mail too large", "email is too large", "too big for", "too large for",
	"message size", "size limit", "exceeds size", "exceeds the size", "exceeded size", "exceeds maximum size", "maximum size", "message length", "data size exceeds", "content length", "size exceed",
}

// loopPhrases say that the message goes round in a loop.
var loopPhrases = []string{"too many hops", "hop count", "mail loop", "mail forwarding loop", "routing loop", "loops back", "looping", "loop detected", "too many received", "received headers", "received lines", "too many \"received"}

// mailboxDetails are the status codes of one mailbox.
var mailboxDetails = []string{"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "2.2"}

// senderWords are about the sender, the login or the client, whatever the status code says.
var senderWords = []string{"sender", "your account", "authentic", "relay", "from address", "mail from", "your ip", "client host", "logged in", "login", "submission", "sending"}

// greylistNames are the names of greylisting.
var greylistNames = []string{"greylist", "graylist", "grey list", "gray list", "grey-list", "postgrey"}

// notMessageLimit are words of what is counted by the hour or for a client, not in one message.
var notMessageLimit = []string{"hour", "minute", "per day", "today", "daily", "second limit", "message limit", "messages limit", "recipients from", "throttl", "24h"}

// Words for a limit, of which each needs a look at the rest.
var (
	limitNouns   = []string{"limit", "limits", "quota"}
	limitWord    = []string{"limit", "limits", "limited", "quota", "rate"}
	limitReached = []string{"exceeded limit", "limit exceeded", "limit reached", "reached limit", "limits exceeded", "limit for", "temporarily limited", "your limit"}
	limitOurs    = []string{"sending", "outgoing", "outbound", "sender", "smtp", "your"}
)

// Words for "no relaying" and for the name said with EHLO, of which each needs a look at the rest.
var (
	relayWords  = []string{"relay", "relaying"}
	deniedWords = []string{"not authorized", "not authorised", "refused", "denied", "not allowed", "prohibited", "rejected"}
	heloWords   = []string{"helo", "ehlo", "helo/ehlo", "ehlo/helo", "helo-name"}
)

// quotingPhrases quote another server that was asked about an address.
var quotingPhrases = []string{"unverified address", "undeliverable address"}

// notSender are words about the recipient.
var notSender = []string{"recipient address", "recipient's", "resolver."}

// temporaryWords say that an account is shut only for now.
var temporaryWords = []string{"temporar", "again later", "try later", "try again", "hour", "minute", " seconds", "today", "tomorrow", "slow down", "will be enabled"}

// recipientPolicyWords, beside a policy's code at RCPT, say that it is the recipient's policy.
var recipientPolicyWords = []string{"recipient", "mailbox", "transport.rules", "organization policy", "account is", "account has", "user ", "this address", "closed", "no longer"}
