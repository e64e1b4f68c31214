# /etc/cron.d/notices sends the mail that is due, once a minute, on a machine without
# systemd; with systemd, notices-flush.timer does it. It does nothing until the
# configuration names a server. Cron mails what it prints; it prints nothing unless
# something is wrong.
MAILTO=root
* * * * * notices [ -d /run/systemd/system ] || [ ! -x /usr/bin/notices ] || ! grep -Eqs '^ *(\[\[server|via)' /etc/notices/notices.toml || notices flush --splay 30s
