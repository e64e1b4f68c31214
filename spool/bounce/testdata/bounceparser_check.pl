#!/usr/bin/perl
# What Mail::DeliveryStatus::BounceParser (Debian: libmail-deliverystatus-bounceparser-perl)
# makes of a report on standard input: "bounce" or "no bounce", then a line for each
# address: ADDRESS REASON SMTP-CODE STATUS, and the original's Message-ID.
use strict;
use warnings;
use Mail::DeliveryStatus::BounceParser;

local $/;
my $bounce = Mail::DeliveryStatus::BounceParser->new(scalar <STDIN>);
print $bounce->is_bounce ? "bounce\n" : "no bounce\n";
for my $report ($bounce->reports) {
    print join(" ", map { s/^\s+|\s+$//gr } map { $report->get($_) // "-" } qw(email std_reason smtp_code Status)), "\n";
}
print +($bounce->orig_message_id // "-") =~ s/\s+$//r, "\n";
