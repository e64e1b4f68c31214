#!/usr/bin/python3
"""What Mailman's bounce parser (Debian: python3-flufl.bounce) makes of a report
on standard input: a line for each address, "temporary ADDRESS" or "permanent ADDRESS"."""
import email
import sys

from flufl.bounce import all_failures

temporary, permanent = all_failures(email.message_from_binary_file(sys.stdin.buffer))
for kind, addresses in (("temporary", temporary), ("permanent", permanent)):
    for address in sorted(addresses):
        print(kind, address.decode())
