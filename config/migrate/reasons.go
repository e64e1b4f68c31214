package migrate

import (
	"slices"
	"strings"
)

// reasonFor says why a key has no counterpart, and what replaces it; "" if nothing is known
// of the key. A key means the same in all programs that have it.
func reasonFor(key string) string {
	for _, r := range reasons {
		if slices.Contains(strings.Fields(r.keys), key) {
			return r.why
		}
	}
	return ""
}

var reasons = [...]struct{ keys, why string }{
	{"defaulthost defaultdomain maildomain rewritedomain append_dot_mydomain mydomain", "an address without a domain gets that of [site] address"},
	{"idhost", "the right side of a Message-ID is [site] hostname"},
	{"pausetime maxpause minimal_backoff_time maximal_backoff_time", "[retry] has delays of its own"},
	{"sendtimeout", "a [[server]] has timeout for one step, and data_timeout for the answer to a whole message"},
	{"source source_ip proxy_host proxy_port socket smtp_bind_address smtp_bind_address6",
		"notices connects to the server directly, from whatever address the system takes"},
	{"x509certfile tls_cert_file tls_key_file tlscert tlskey usetlscert CERTFILE smtp_tls_cert_file smtp_tls_key_file",
		"notices cannot log in with a certificate"},
	{"set_from_header", "a From that is missing is added, one that is there stays: [site] rewrite_from = true replaces it"},
	{"allow_from_override", "a sender given with -f is kept: [site] rewrite_from = true replaces it"},
	{"auto_from", "notices has one sender for all users: [site] address"},
	{"undisclosed_recipients", "To and Cc stay as they are"},
	{"remove_bcc_headers", "Bcc is always removed"},
	{"add_missing_from_header add_missing_date_header set_date_header set_msgid_header", "notices adds what is missing and leaves what is there"},
	{"dsn_notify dsn_return", "whoever queues a message asks for it: sendmail -N and -R"},
	{"aliases ALIASES", "notices reads /etc/aliases: add the contents of this file to it"},
	{"tls_host_override", "a certificate has to be for the name in host"},
	{"protocol", "notices speaks only SMTP"},
	{"NULLCLIENT", "all mail goes through the servers, whatever this says"},
	{"DEFER", "every mail waits for notices flush, which cron runs"},
	{"FULLBOUNCE", "a return contains the whole message up to 1 MiB, or the header of a longer one"},
	{"masquerade_domains masquerade_classes masquerade_exceptions",
		"an address keeps its domain, unless [site] rewrite_from = true gives every mail one sender"},
	{"mydestination", "there is no local delivery: mail for this machine's own users goes where /etc/aliases says, else to [site] admin"},
	{"alias_maps", "notices reads only /etc/aliases"},
	{"recipient_canonical_maps virtual_alias_maps virtual_alias_domains",
		"notices maps this machine's own users by /etc/aliases and leaves every other recipient as it is"},
	{"always_bcc sender_bcc_maps recipient_bcc_maps", "notices sends no copies"},
	{"sender_dependent_relayhost_maps smtp_sender_dependent_authentication", "give each sender a [[server]] of its own, with senders"},
	{"transport_maps default_transport relay_transport", "all mail goes through the servers; each is a backup for the others"},
	{"header_checks mime_header_checks body_checks smtp_header_checks content_filter smtpd_milters non_smtpd_milters",
		"no filter is run, and no header is changed"},
	{"bounce_queue_lifetime", "a return is tried for as long as any message: [retry] give_up"},
	{"default_destination_concurrency_limit smtp_destination_concurrency_limit", "set connections of the [[server]]"},
	{"default_destination_recipient_limit smtp_destination_recipient_limit", "set recipients_per_message of the [[server]]"},
	{"default_destination_rate_delay smtp_destination_rate_delay", "set rate_per_minute of the [[server]]"},
	{"smtp_tls_policy_maps", "set tls, ca_file and allow_non_secure of the [[server]]"},
}

const (
	noSuchSetting = "notices has no such setting"
	findsOut      = "notices chooses the login method itself"
)
