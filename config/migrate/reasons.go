package migrate

// reasons says of keys that change what goes out, and have no counterpart, why that is and
// what takes their place. A key means the same in all programs that have it.
var reasons = map[string]string{
	// nullmailer
	"defaulthost":   domainGiven,
	"defaultdomain": domainGiven,
	"idhost":        "the right side of a Message-ID is [site] hostname",
	"pausetime":     "[retry] has delays of its own",
	"maxpause":      "[retry] has delays of its own",
	"sendtimeout":   "a [[server]] has timeout for one step, and data_timeout for the answer to a whole message",
	"source":        direct,
	"x509certfile":  noClientCertificate,

	// msmtp
	"set_from_header":         "a From that is missing is added, one that is there stays: [site] rewrite_from = true replaces it",
	"allow_from_override":     "a sender that is given with -f holds: [site] rewrite_from = true replaces each",
	"auto_from":               "notices has one sender for all users: [site] address",
	"maildomain":              domainGiven,
	"undisclosed_recipients":  "To and Cc stay as they are",
	"remove_bcc_headers":      "Bcc is always removed",
	"add_missing_from_header": addsMissing,
	"add_missing_date_header": addsMissing,
	"set_date_header":         addsMissing,
	"set_msgid_header":        addsMissing,
	"dsn_notify":              asksByMessage,
	"dsn_return":              asksByMessage,
	"aliases":                 "notices reads /etc/aliases: write into it what is in this file",
	"tls_cert_file":           noClientCertificate,
	"tls_key_file":            noClientCertificate,
	"tls_host_override":       "a certificate has to be for the name in host",
	"source_ip":               direct,
	"proxy_host":              direct,
	"proxy_port":              direct,
	"socket":                  direct,
	"protocol":                "notices speaks SMTP alone",

	// ssmtp
	"rewritedomain": domainGiven,
	"tlscert":       noClientCertificate,
	"tlskey":        noClientCertificate,
	"usetlscert":    noClientCertificate,

	// dma
	"ALIASES":    "notices reads /etc/aliases: write into it what is in this file",
	"CERTFILE":   noClientCertificate,
	"NULLCLIENT": "all mail goes through the servers, whatever this says",
	"DEFER":      "every mail waits for notices flush, which cron runs",
	"FULLBOUNCE": "a return has the whole message up to 1 MiB, of a longer one the header",

	// Postfix
	"masquerade_domains":                    domainStays,
	"masquerade_classes":                    domainStays,
	"masquerade_exceptions":                 domainStays,
	"append_dot_mydomain":                   domainGiven,
	"mydomain":                              domainGiven,
	"mydestination":                         "there is no local delivery: mail for this machine's own users goes where /etc/aliases says, else to [site] admin",
	"alias_maps":                            "notices reads /etc/aliases alone",
	"recipient_canonical_maps":              noRecipientMap,
	"virtual_alias_maps":                    noRecipientMap,
	"virtual_alias_domains":                 noRecipientMap,
	"always_bcc":                            noCopies,
	"sender_bcc_maps":                       noCopies,
	"recipient_bcc_maps":                    noCopies,
	"sender_dependent_relayhost_maps":       bySender,
	"smtp_sender_dependent_authentication":  bySender,
	"transport_maps":                        oneWay,
	"default_transport":                     oneWay,
	"relay_transport":                       oneWay,
	"header_checks":                         noFilter,
	"mime_header_checks":                    noFilter,
	"body_checks":                           noFilter,
	"smtp_header_checks":                    noFilter,
	"content_filter":                        noFilter,
	"smtpd_milters":                         noFilter,
	"non_smtpd_milters":                     noFilter,
	"bounce_queue_lifetime":                 "a return is tried as long as any mail: [retry] give_up",
	"minimal_backoff_time":                  "[retry] has delays of its own",
	"maximal_backoff_time":                  "[retry] has delays of its own",
	"default_destination_concurrency_limit": "set connections of the [[server]]",
	"smtp_destination_concurrency_limit":    "set connections of the [[server]]",
	"default_destination_recipient_limit":   "set recipients_per_message of the [[server]]",
	"smtp_destination_recipient_limit":      "set recipients_per_message of the [[server]]",
	"default_destination_rate_delay":        "set rate_per_minute of the [[server]]",
	"smtp_destination_rate_delay":           "set rate_per_minute of the [[server]]",
	"smtp_tls_policy_maps":                  "set tls, ca_file and allow_non_secure of the [[server]]",
	"smtp_tls_cert_file":                    noClientCertificate,
	"smtp_tls_key_file":                     noClientCertificate,
	"smtp_bind_address":                     direct,
	"smtp_bind_address6":                    direct,
}

const (
	domainGiven         = "an address without a domain gets that of [site] address"
	domainStays         = "an address keeps its domain, unless [site] rewrite_from = true gives every mail one sender"
	addsMissing         = "notices adds what is missing and leaves what is there"
	asksByMessage       = "who hands a mail in asks for it: sendmail -N and -R"
	noClientCertificate = "notices cannot log in with a certificate"
	direct              = "notices connects to the server directly, from whatever address the system takes"
	noRecipientMap      = "notices maps this machine's own users by /etc/aliases and leaves every other recipient as it is"
	noCopies            = "notices sends no copies"
	bySender            = "give each sender a [[server]] of its own, with senders"
	oneWay              = "all mail goes through the servers, one standing in for the other"
	noFilter            = "no filter is run, and no header is changed"
)
