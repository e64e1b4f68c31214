# Verifies each signature of the message on standard input by Debian's python3-dkim. The
# argument is the TXT record that the DNS has, whatever the name.
import sys

import dkim

message = sys.stdin.buffer.read()
record = sys.argv[1].encode()
name = []


def txt(asked, timeout=5):
    name.append(asked.decode() if isinstance(asked, bytes) else asked)
    return record


checker = dkim.DKIM(message)
count = len([h for h in checker.headers if h[0].lower() == b"dkim-signature"])
for i in range(count):
    try:
        ok = checker.verify(idx=i, dnsfunc=txt)
        print("pass" if ok else "fail", checker.domain.decode())
    except dkim.DKIMException as e:
        print("error", e)
print(*sorted(set(name)))
