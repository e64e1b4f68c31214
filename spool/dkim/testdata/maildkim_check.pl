# Verifies each signature of the message on standard input by Debian's libmail-dkim-perl. The
# argument is the TXT record that the DNS has, whatever the name.
use strict;
use warnings;
use Mail::DKIM::Verifier;

my $record = shift;
my %asked;
{
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub {
		my ( $name, $type ) = @_;
		$asked{$name} = 1;
		my @strings = $record =~ /.{1,255}/gs;
		return Net::DNS::RR->new( name => $name, type => $type, txtdata => \@strings );
	};
}
require Net::DNS;

my $verifier = Mail::DKIM::Verifier->new;
binmode STDIN;
local $/ = "\015\012";
while ( my $line = <STDIN> ) { $verifier->PRINT($line) }
$verifier->CLOSE;
for my $signature ( $verifier->signatures ) {
	print $signature->result eq 'pass' ? 'pass ' : $signature->result_detail . ' ', $signature->domain, "\n";
}
print join( ' ', sort keys %asked ), "\n";
