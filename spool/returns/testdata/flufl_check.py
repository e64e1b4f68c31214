#!/usr/bin/python3
"""What Mailman's bounce parser (Debian: python3-flufl.bounce) makes of the messages in files: the
name of each file with a colon, and a line for each address, "temporary ADDRESS" or "permanent ADDRESS"."""
import email
import sys

from flufl.bounce import all_failures

for name in sys.argv[1:]:
    print(name + ":")
    with open(name, "rb") as f:
        temporary, permanent = all_failures(email.message_from_binary_file(f))
    for kind, addresses in (("temporary", temporary), ("permanent", permanent)):
        for address in sorted(addresses):
            print(kind, address.decode())
