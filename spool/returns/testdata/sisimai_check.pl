#!/usr/bin/perl
# What Sisimai (Debian: libsisimai-perl) makes of the messages in files: the name of each file with
# a colon, and a line for each address, "permanent ADDRESS STATUS" or "temporary ADDRESS STATUS".
# STATUS is "-" where Sisimai has only a code of its own.
use strict;
use warnings;
use Sisimai;

for my $file (@ARGV) {
    print "$file:\n";
    for my $r (@{ Sisimai->make($file) || [] }) {
        next if $r->reason eq 'vacation' or $r->reason eq 'feedback';
        my $kind = $r->action eq 'delayed' ? 'temporary' : 'permanent';
        my $status = $r->deliverystatus =~ /[.]0[.]9\d\d$/ ? '-' : $r->deliverystatus;
        print "$kind ", $r->recipient->address, " $status\n";
    }
}
